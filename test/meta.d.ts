import 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test was left out on this machine; scripts/test.mjs prints it before its last line. */
    notRun?: string;
  }
}
