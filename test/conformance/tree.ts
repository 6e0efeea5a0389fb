/** Reads the tree that printing a module gives, and builds the modules in it again. */

import { construct, has, type LooseModule } from './adapter.js';
import { evaluate } from './python.js';

/** One line of the tree: its name in the parent, its class, its arguments, its children. */
export interface TreeNode {
  readonly name: string;
  readonly type: string;
  readonly args: string;
  readonly children: readonly TreeNode[];
}

interface Line {
  readonly indent: number;
  readonly text: string;
}

/** Parses what `print(module)` shows. */
export function parseTree(printed: string): TreeNode {
  const lines = printed.split('\n').map((line) => {
    const text = line.trimStart();
    return { indent: line.length - text.length, text: text.trimEnd() };
  });
  const [node] = parseNode(lines, 0, '');
  return node;
}

/** The node that starts at a line, and the number of the line after it. */
function parseNode(lines: readonly Line[], start: number, name: string): [TreeNode, number] {
  const { text, indent } = lines[start]!;
  const [, type, rest] = /^([A-Za-z_]\w*)\((.*)$/.exec(text.replace(/^\([^)]*\): /, '')) ?? [];
  if (type === undefined) throw new SyntaxError(`no module in ${JSON.stringify(text)}`);
  if (rest!.endsWith(')'))
    return [{ name, type, args: rest!.slice(0, -1), children: [] }, start + 1];
  const children: TreeNode[] = [];
  let args = rest!;
  let at = start + 1;
  while (at < lines.length && !(lines[at]!.indent === indent && lines[at]!.text === ')')) {
    const child = /^\(([^)]*)\): /.exec(lines[at]!.text);
    if (child) {
      const [node, next] = parseNode(lines, at, child[1]!);
      children.push(node);
      at = next;
    } else {
      args += lines[at++]!.text;
    }
  }
  return [{ name, type, args, children }, at + 1];
}

/** Builds a module of the library's own classes; undefined for a class that it does not have. */
export function buildTree(node: TreeNode): LooseModule | undefined {
  if (!has(`nn.${node.type}`)) return undefined;
  if (node.children.length === 0) {
    return evaluate(`nn.${node.type}(${pythonArguments(node)})`) as LooseModule;
  }
  if (!/^(Sequential|ModuleList)$/.test(node.type)) return undefined;
  const children = node.children.map(buildTree);
  if (children.includes(undefined)) return undefined;
  const args = node.type === 'Sequential' ? children : [children];
  return construct(`nn.${node.type}`, args) as LooseModule;
}

/** Printed arguments that constructors call otherwise, or do not take. */
function pythonArguments({ args }: TreeNode): string {
  return args.replace(/torch\.Size\((\[[^\]]*\])\)/g, '$1');
}
