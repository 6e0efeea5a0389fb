/** A program in a process of its own that answers questions, one line of JSON each way. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class Lines<Answer extends { readonly error?: string }> {
  private readonly process: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(
    private readonly name: string,
    program: string,
    options: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.process = spawn(program, options, {
      stdio: ['pipe', 'pipe', 'inherit'],
      // In a group of its own, which the terminal's Ctrl-C does not reach; it ends with its input.
      detached: true,
      env: { ...process.env, ...env },
    });
    // What ends, or never starts, is told of by read().
    this.process.on('error', () => {});
    this.process.stdin?.on('error', () => {});
    const input = this.process.stdout as NodeJS.ReadableStream;
    this.lines = createInterface({ input })[Symbol.asyncIterator]();
  }

  /** The next line; throws the error that it tells. */
  async read(): Promise<Answer> {
    const line = await this.lines.next();
    if (line.done) throw new Error(`${this.name}: its process ended`);
    const answer = JSON.parse(line.value) as Answer;
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  ask(message: object): Promise<Answer> {
    this.process.stdin?.write(`${JSON.stringify(message)}\n`);
    return this.read();
  }

  close(): void {
    this.process.stdin?.end();
  }
}
