/** torch.webgpu: the GPU, started explicitly, since asking for one is asynchronous. */

import { atExit, requestGpu } from '#platform';
import { DeviceError, ValueError } from './core/errors.js';
import { checkOptions } from './core/options.js';
import { registerDevice } from './device/registry.js';
import type { WebGpuDevice } from './device/webgpu/device.js';

/** How the GPU is chosen and used. */
export interface WebGpuOptions {
  /** Which of several adapters; default the platform's choice. */
  powerPreference?: 'low-power' | 'high-performance';
  /** Takes the software adapter where the platform has one. Default false. */
  forceFallbackAdapter?: boolean;
  /**
   * Optional features to use where the adapter has them; default all that are of use there:
   * 'immediates' (parameters that launches carry, a feature of the shader language), 'shader-f16',
   * 'subgroups' (of 8 invocations or more), 'tiles' (products and copies in workgroup memory; not
   * where a processor plays the GPU) and 'timestamp-query'. Without them the same is computed by
   * other means.
   */
  features?: readonly string[];
  /** Bytes tensors may use at most; more throws OutOfMemoryError. Default no limit of our own. */
  memoryLimit?: number;
  /** Bytes of the first block of GPU memory; later ones are larger. Default 64 MiB. */
  heapBytes?: number;
}

/** What torch.webgpu.info() reports. */
export interface WebGpuInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Whether a processor plays the GPU. */
  readonly software: boolean;
  /** Optional features in use. */
  readonly features: readonly string[];
  /** The device's limits by their names in WebGPU. */
  readonly limits: Readonly<Record<string, number>>;
  /** Made and done so far. */
  readonly pipelines: number;
  readonly bindGroups: number;
  readonly buffers: number;
  readonly launches: number;
  readonly submits: number;
  /** Bytes of live tensors, and of the GPU memory they are cut from. */
  readonly bytes: number;
  readonly reserved: number;
}

const OPTIONS = ['powerPreference', 'forceFallbackAdapter', 'features', 'memoryLimit', 'heapBytes'];

let current: { device: WebGpuDevice; adapter: GPUAdapter; features: readonly string[] } | undefined;
let starting: Promise<void> | undefined;

/** Limits worth raising to what the adapter has. */
const LIMITS = [
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxStorageBuffersPerShaderStage',
] as const;

async function requestAdapter(gpu: GPU, options: WebGpuOptions): Promise<GPUAdapter> {
  const { powerPreference, forceFallbackAdapter } = options;
  const adapter = await gpu.requestAdapter({ powerPreference, forceFallbackAdapter });
  if (adapter !== null) return adapter;
  throw new DeviceError(
    'webgpu: there is no GPU adapter here. Browsers need WebGPU switched on and a supported GPU; ' +
      'Node needs a Vulkan, Metal or Direct3D 12 driver (on Debian: libvulkan1, and for a GPU ' +
      'mesa-vulkan-drivers; without one, chromium has a driver in software: ' +
      'VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json). ' +
      'torch.webgpu.isAvailable() tells beforehand',
  );
}

async function start(options: WebGpuOptions): Promise<void> {
  const source = await requestGpu();
  const adapter = await requestAdapter(source, options);
  const { library } = await import('./ops/twins/index.js');
  const { WebGpuDevice: Device, choose } = await import('./device/webgpu/device.js');
  const { names, required, limits, uses } = choose(source, adapter, options.features);
  const requiredLimits: Record<string, number> = { ...limits };
  for (const name of LIMITS) requiredLimits[name] = adapter.limits[name];
  const gpu = await adapter.requestDevice({ requiredFeatures: required, requiredLimits });
  const device = new Device(gpu, library, {
    limit: options.memoryLimit ?? Number.MAX_SAFE_INTEGER,
    heapBytes: options.heapBytes ?? 64 * 2 ** 20,
    uses,
  });
  // A driver that still works while the process goes down can crash it.
  if (current === undefined) atExit(() => current?.device.gpu.destroy());
  current = { device, adapter, features: names };
  registerDevice('webgpu', device);
}

function checkBytes(name: string, bytes: number | undefined): void {
  if (bytes === undefined || (Number.isInteger(bytes) && bytes > 0)) return;
  throw new ValueError(`webgpu.init: ${name} is a positive number of bytes, got ${bytes}`);
}

/**
 * Starts the GPU, after which 'webgpu' is a device for tensors and modules. Called again it does
 * nothing while the device lives; after a loss it starts a new one. Throws DeviceError with what
 * to install where there is no GPU to be had.
 */
export async function init(options: WebGpuOptions = {}): Promise<void> {
  checkOptions('webgpu.init', options, OPTIONS);
  checkBytes('memoryLimit', options.memoryLimit);
  checkBytes('heapBytes', options.heapBytes);
  if (current !== undefined && current.device.failure === undefined) return;
  starting ??= start(options).finally(() => {
    starting = undefined;
  });
  await starting;
}

/** Whether a GPU can be had: the runtime knows WebGPU and gives an adapter. */
export async function isAvailable(): Promise<boolean> {
  if (current !== undefined && current.device.failure === undefined) return true;
  return requestGpu()
    .then((gpu) => requestAdapter(gpu, {}))
    .then(
      () => true,
      () => false,
    );
}

/** GPUs in use: 1 after init(), else 0. */
export function deviceCount(): number {
  return current === undefined || current.device.failure !== undefined ? 0 : 1;
}

function started(): NonNullable<typeof current> {
  if (current !== undefined) return current;
  throw new DeviceError('webgpu: the device is not started; call await torch.webgpu.init() first');
}

/** What the adapter calls itself. */
export function deviceName(): string {
  const { info } = started().adapter;
  return info.description || [info.vendor, info.architecture].filter(Boolean).join(' ') || 'GPU';
}

/** Adapter, limits, features, and counts of what was made; for bug reports and tests. */
export function info(): WebGpuInfo {
  const { device, adapter, features } = started();
  const { vendor, architecture, device: chip, description } = adapter.info;
  const limits: Record<string, number> = {};
  for (const name in device.gpu.limits) {
    const value = device.gpu.limits[name as keyof GPUSupportedLimits];
    if (typeof value === 'number') limits[name] = value;
  }
  return {
    vendor,
    architecture,
    device: chip,
    description,
    software: adapter.info.isFallbackAdapter ?? false,
    features,
    limits,
    ...device.info(),
  };
}

/** Resolves when the GPU has done everything asked of it so far. */
export async function synchronize(): Promise<void> {
  await started().device.synchronize();
}

/**
 * Milliseconds the GPU works on what the synchronous `body` asks of it: by the GPU's own clock where
 * it has the feature 'timestamp-query', else from its start to its end on ours.
 */
export async function measure(body: () => void): Promise<number> {
  const { device } = started();
  const timer = await import('./device/webgpu/timer.js');
  return timer.measure(device, body);
}

/** Gives the GPU up, with every tensor on it; init() starts it again. */
export function destroy(): void {
  current?.device.destroy();
}
