/** Drawing the graph behind a tensor. */

import { showShape } from '../core/errors.js';
import type { Tensor } from '../tensor.js';
import { reachable } from './engine.js';
import { Accumulate, edgeOf, type Node } from './node.js';

/** One node of a drawn graph. */
interface Box {
  readonly id: number;
  readonly label: string;
  readonly leaf: boolean;
  /** Distance from the root, for the rows of the SVG. */
  readonly depth: number;
}

function labelOf(node: Node): string {
  if (!(node instanceof Accumulate)) return node.name;
  return `leaf ${showShape(node.leaf.shape)}`;
}

function collect(root: Tensor): { boxes: Map<Node, Box>; edges: [Node, Node][] } {
  const boxes = new Map<Node, Box>();
  const edges: [Node, Node][] = [];
  const [start] = edgeOf(root);
  let next = 0;
  // Newest first, so that a node's users have their rows before it gets its own.
  for (const node of start === undefined ? [] : reachable(start)) {
    const depth = boxes.get(node)?.depth ?? 0;
    const leaf = node instanceof Accumulate;
    boxes.set(node, { id: next++, label: labelOf(node), leaf, depth });
    for (const below of node.next) {
      if (below === undefined) continue;
      edges.push([node, below]);
      const known = boxes.get(below)?.depth ?? 0;
      boxes.set(below, { id: -1, label: '', leaf: false, depth: Math.max(known, depth + 1) });
    }
  }
  return { boxes, edges };
}

const COLUMN = 190;
const ROW = 64;
const WIDTH = 170;
const HEIGHT = 32;

/** The graph of `torch.graph(loss)`: `dot` for Graphviz, `svg` ready to show. */
export interface DrawnGraph {
  readonly dot: string;
  readonly svg: string;
}

/** Draws the autograd graph of a tensor, leaves at the bottom. */
export function graph(root: Tensor): DrawnGraph {
  const { boxes, edges } = collect(root);
  return { dot: toDot(boxes, edges), svg: toSvg(boxes, edges) };
}

function toDot(boxes: Map<Node, Box>, edges: readonly [Node, Node][]): string {
  const lines = ['digraph autograd {', '  node [shape=box];'];
  for (const box of boxes.values()) {
    const style = box.leaf ? ', style=filled, fillcolor=lightblue' : '';
    lines.push(`  n${box.id} [label=${JSON.stringify(box.label)}${style}];`);
  }
  for (const [from, to] of edges) {
    lines.push(`  n${boxes.get(from)?.id} -> n${boxes.get(to)?.id};`);
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

function toSvg(boxes: Map<Node, Box>, edges: readonly [Node, Node][]): string {
  const filled: number[] = [];
  const places = new Map<Box, { x: number; y: number }>();
  for (const box of boxes.values()) {
    const column = filled[box.depth] ?? 0;
    filled[box.depth] = column + 1;
    places.set(box, { x: 10 + column * COLUMN, y: 10 + box.depth * ROW });
  }
  const width = 20 + filled.reduce((a, b) => Math.max(a, b), 1) * COLUMN;
  const height = 20 + filled.length * ROW;
  const at = (node: Node) => places.get(boxes.get(node) as Box) as { x: number; y: number };
  const lines = edges.map(([from, to]) => {
    const [a, b] = [at(from), at(to)];
    const [x1, y1, x2] = [a.x + WIDTH / 2, a.y + HEIGHT, b.x + WIDTH / 2];
    return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${b.y}" stroke="#888"/>`;
  });
  const rects = [...places].map(([box, { x, y }]) => {
    const fill = box.leaf ? '#cfe8ff' : '#fff';
    return (
      `<rect x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="5" fill="${fill}" ` +
      `stroke="#333"/>` +
      `<text x="${x + WIDTH / 2}" y="${y + 21}" text-anchor="middle">${escaped(box.label)}</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `font-family="sans-serif" font-size="12">${lines.join('')}${rects.join('')}</svg>\n`
  );
}
