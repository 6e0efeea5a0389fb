/** ONNX Runtime Web on wasm: the operators that a case says as a graph. It does not train. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Inputs, OnnxNode, Program } from '../case.js';
import { installed, localPeer, type Open } from './local.js';

/** The part of ONNX Runtime Web that is called; its types are not installed with the library. */
interface Runtime {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly Tensor: new (dtype: string, data: unknown, shape: readonly number[]) => object;
  readonly InferenceSession: {
    create(model: Uint8Array): Promise<{
      run(feeds: Readonly<Record<string, object>>): Promise<Record<string, OnnxTensor>>;
    }>;
  };
}
interface OnnxTensor {
  readonly data: Float32Array;
  dispose(): void;
}
interface Protobuf {
  readonly Root: {
    fromJSON(json: object): { lookupType(name: string): MessageType };
  };
}
interface MessageType {
  encode(message: object): { finish(): Uint8Array };
}

const field = (id: number, type: string, rule?: 'repeated') => ({ id, type, rule });

/** What is needed of onnx.proto (ONNX 1.16). */
const SCHEMA = {
  nested: {
    Model: {
      fields: {
        irVersion: field(1, 'int64'),
        graph: field(7, 'Graph'),
        opsetImport: field(8, 'Opset', 'repeated'),
      },
    },
    Opset: { fields: { domain: field(1, 'string'), version: field(2, 'int64') } },
    Graph: {
      fields: {
        node: field(1, 'Node', 'repeated'),
        name: field(2, 'string'),
        input: field(11, 'Value', 'repeated'),
        output: field(12, 'Value', 'repeated'),
      },
    },
    Node: {
      fields: {
        input: field(1, 'string', 'repeated'),
        output: field(2, 'string', 'repeated'),
        opType: field(4, 'string'),
        attribute: field(5, 'Attribute', 'repeated'),
      },
    },
    Attribute: {
      fields: {
        name: field(1, 'string'),
        f: field(2, 'float'),
        i: field(3, 'int64'),
        ints: field(8, 'int64', 'repeated'),
        type: field(20, 'int32'),
      },
    },
    Value: { fields: { name: field(1, 'string'), type: field(2, 'Type') } },
    Type: { fields: { tensorType: field(1, 'TensorType') } },
    TensorType: { fields: { elemType: field(1, 'int32'), shape: field(2, 'Shape') } },
    Shape: { fields: { dim: field(1, 'Dim', 'repeated') } },
    Dim: { fields: { dimValue: field(1, 'int64') } },
  },
};
const [FLOAT, INT32] = [1, 6];
const [OPSET, IR] = [17, 8];

function attribute([name, value]: [string, number | readonly number[]]): object {
  if (typeof value !== 'number') return { name, ints: value, type: 7 };
  return Number.isInteger(value) ? { name, i: value, type: 2 } : { name, f: value, type: 1 };
}

/** The graph as ONNX's file. Results of a node are named after its place. */
function model(protobuf: Protobuf, nodes: readonly OnnxNode[], inputs: Inputs): Uint8Array {
  const value = (name: string, elemType: number, shape?: readonly number[]) => ({
    name,
    type: {
      tensorType: { elemType, shape: shape && { dim: shape.map((dimValue) => ({ dimValue })) } },
    },
  });
  const used = new Set(nodes.flatMap(({ inputs: names }) => names));
  const graph = {
    name: 'case',
    node: nodes.map(({ op, inputs: input, attributes = {} }, i) => ({
      opType: op,
      input,
      output: [`node${i}`],
      attribute: Object.entries(attributes).map(attribute),
    })),
    input: Object.entries(inputs)
      .filter(([name]) => used.has(name))
      .map(([name, { data, shape }]) =>
        value(name, data instanceof Float32Array ? FLOAT : INT32, shape),
      ),
    output: [value(`node${nodes.length - 1}`, FLOAT)],
  };
  const message = { irVersion: IR, opsetImport: [{ domain: '', version: OPSET }], graph };
  return protobuf.Root.fromJSON(SCHEMA).lookupType('Model').encode(message).finish();
}

async function program(
  ort: Runtime,
  protobuf: Protobuf,
  nodes: readonly OnnxNode[],
  inputs: Inputs,
): Promise<Program> {
  const session = await ort.InferenceSession.create(model(protobuf, nodes, inputs));
  const used = new Set(nodes.flatMap(({ inputs: names }) => names));
  const feeds = Object.fromEntries(
    Object.entries(inputs)
      .filter(([name]) => used.has(name))
      .map(([name, { data, shape }]) => {
        const dtype = data instanceof Float32Array ? 'float32' : 'int32';
        return [name, new ort.Tensor(dtype, data, shape)];
      }),
  );
  const last = `node${nodes.length - 1}`;
  return {
    run: async () => (await session.run(feeds))[last].dispose(),
    check: async () => (await session.run(feeds))[last].data,
  };
}

export const openOnnx: Open = async (folder, conditions) => {
  const { home, version } = installed(folder, 'onnxruntime-web');
  const { href } = pathToFileURL(join(home, 'dist/ort.node.min.mjs'));
  const ort = (await import(href)) as Runtime;
  ort.env.wasm.numThreads = conditions.threads;
  const protobuf = installed(folder, 'protobufjs').load() as Protobuf;
  const about = `ONNX Runtime Web ${version} (wasm)`;
  return localPeer(
    'onnx',
    about,
    conditions,
    ({ onnx }, given) => onnx && program(ort, protobuf, onnx, given),
  );
};
