/** The drawing area: pen, eraser and fill, for mouse, pen, finger and keyboard. */

export type Tool = 'pen' | 'fill' | 'eraser';

/** Pixels of the drawing along each side: ten for one of the network's. */
export const SKETCH_SIDE = 280;
const UNDO_STEPS = 20;
const KEY_STEP = 5;

interface Point {
  x: number;
  y: number;
}

const ARROWS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/** Fills the area around a point that has less ink than the new one. */
export function floodFill(ink: Uint8Array, side: number, { x, y }: Point, tone: number): void {
  const limit = Math.min(tone - 8, 128);
  const open = [Math.floor(y) * side + Math.floor(x)];
  while (open.length > 0) {
    const at = open.pop() as number;
    if (ink[at] >= limit) {
      // The soft edge of a line, which would stay as a seam.
      ink[at] = Math.max(ink[at], tone);
      continue;
    }
    ink[at] = tone;
    const column = at % side;
    if (column > 0) open.push(at - 1);
    if (column < side - 1) open.push(at + 1);
    if (at >= side) open.push(at - side);
    if (at < side * (side - 1)) open.push(at + side);
  }
}

export class Sketch {
  tool: Tool = 'pen';
  /** Width of the pen, in pixels of the network. */
  width = 2;
  /** Brightness of the pen in 0 ... 1. */
  tone = 0.8;
  private readonly context: CanvasRenderingContext2D;
  private readonly history: ImageData[] = [];
  private last: Point | undefined;
  private readonly cursor: Point = { x: SKETCH_SIDE / 2, y: SKETCH_SIDE / 2 };
  /** Whether the keyboard's pen is on the paper. */
  private penDown = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly marker: HTMLElement,
    private readonly changed: () => void,
  ) {
    canvas.width = SKETCH_SIDE;
    canvas.height = SKETCH_SIDE;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('this browser cannot draw on a canvas');
    this.context = context;
    this.blank();
    this.listenToPointers();
    canvas.addEventListener('keydown', (event) => this.key(event));
    canvas.addEventListener('blur', () => this.lift());
  }

  get canUndo(): boolean {
    return this.history.length > 0;
  }

  /** Ink of each pixel, 0 ... 255. */
  ink(): Uint8Array {
    const { data } = this.context.getImageData(0, 0, SKETCH_SIDE, SKETCH_SIDE);
    return Uint8Array.from({ length: SKETCH_SIDE ** 2 }, (_, i) => data[4 * i]);
  }

  clear(): void {
    this.remember();
    this.blank();
    this.changed();
  }

  undo(): void {
    const before = this.history.pop();
    if (before === undefined) return;
    this.context.putImageData(before, 0, 0);
    this.changed();
  }

  /** Takes over an image of 28 x 28 pixels. */
  place(image: HTMLCanvasElement): void {
    this.remember();
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(image, 0, 0, SKETCH_SIDE, SKETCH_SIDE);
    this.changed();
  }

  private blank(): void {
    this.context.fillStyle = '#000';
    this.context.fillRect(0, 0, SKETCH_SIDE, SKETCH_SIDE);
  }

  private remember(): void {
    this.history.push(this.context.getImageData(0, 0, SKETCH_SIDE, SKETCH_SIDE));
    if (this.history.length > UNDO_STEPS) this.history.shift();
  }

  private listenToPointers(): void {
    const { canvas } = this;
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || this.last !== undefined) return;
      event.preventDefault();
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      this.hideMarker();
      this.begin(this.pointOf(event));
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.last === undefined || !canvas.hasPointerCapture(event.pointerId)) return;
      const events = event.getCoalescedEvents?.() ?? [];
      for (const part of events.length > 0 ? events : [event]) this.drawTo(this.pointOf(part));
    });
    for (const end of ['pointerup', 'pointercancel'] as const) {
      canvas.addEventListener(end, () => {
        this.last = undefined;
      });
    }
  }

  private pointOf({ clientX, clientY }: PointerEvent): Point {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const scale = (position: number, extent: number) => (position / extent) * SKETCH_SIDE;
    return { x: scale(clientX - left, width), y: scale(clientY - top, height) };
  }

  private begin(point: Point): void {
    this.remember();
    if (this.tool === 'fill') {
      this.fill(point);
      return;
    }
    this.last = point;
    this.drawTo(point);
  }

  private drawTo(point: Point): void {
    const { context, last } = this;
    if (last === undefined) return;
    const grey = this.tool === 'eraser' ? 0 : Math.round(255 * this.tone);
    context.strokeStyle = `rgb(${grey} ${grey} ${grey})`;
    context.lineWidth = (this.width * SKETCH_SIDE) / 28;
    context.lineCap = 'round';
    context.beginPath();
    context.moveTo(last.x, last.y);
    context.lineTo(point.x, point.y);
    context.stroke();
    this.last = point;
    this.changed();
  }

  private fill(point: Point): void {
    const inside = (value: number) => Math.min(SKETCH_SIDE - 1, Math.max(0, value));
    const ink = this.ink();
    const start = { x: inside(point.x), y: inside(point.y) };
    floodFill(ink, SKETCH_SIDE, start, Math.round(255 * this.tone));
    const image = this.context.createImageData(SKETCH_SIDE, SKETCH_SIDE);
    ink.forEach((value, i) => {
      image.data.fill(value, 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    });
    this.context.putImageData(image, 0, 0);
    this.changed();
  }

  /** Arrows move the pen, the space bar puts it down or lifts it; Ctrl+Z undoes. */
  private key(event: KeyboardEvent): void {
    const arrow = ARROWS[event.key];
    if (arrow !== undefined) {
      this.move(arrow, event.shiftKey ? 4 * KEY_STEP : KEY_STEP);
    } else if (event.key === ' ' || event.key === 'Enter') {
      if (this.penDown) this.lift();
      else this.press();
    } else if (event.key.toLowerCase() === 'z' && (event.ctrlKey || event.metaKey)) {
      this.undo();
    } else {
      return;
    }
    event.preventDefault();
  }

  private move({ x, y }: Point, step: number): void {
    const inside = (value: number) => Math.min(SKETCH_SIDE, Math.max(0, value));
    this.cursor.x = inside(this.cursor.x + x * step);
    this.cursor.y = inside(this.cursor.y + y * step);
    if (this.penDown) this.drawTo({ ...this.cursor });
    this.showMarker();
  }

  private press(): void {
    this.begin({ ...this.cursor });
    this.penDown = this.tool !== 'fill';
    this.showMarker();
  }

  private lift(): void {
    this.penDown = false;
    this.last = undefined;
    this.hideMarker();
    if (document.activeElement === this.canvas) this.showMarker();
  }

  private showMarker(): void {
    const { style } = this.marker;
    this.marker.hidden = false;
    this.marker.classList.toggle('down', this.penDown);
    style.left = `${(100 * this.cursor.x) / SKETCH_SIDE}%`;
    style.top = `${(100 * this.cursor.y) / SKETCH_SIDE}%`;
  }

  private hideMarker(): void {
    this.marker.hidden = true;
  }
}
