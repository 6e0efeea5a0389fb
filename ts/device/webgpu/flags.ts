/** WebGPU's flag words, which the type library declares no values for. */

export const BufferUsage = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  STORAGE: 0x80,
} as const;

export const MAP_MODE_READ = 1;
export const STAGE_COMPUTE = 4;
