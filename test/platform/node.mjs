// Imports the package and reports what that alone did, then what the first operation took.
const compiled = [];
for (const name of ['Module', 'Instance', 'Memory']) {
  WebAssembly[name] = new Proxy(WebAssembly[name], {
    construct(target, args) {
      compiled.push(name);
      return new target(...args);
    },
  });
}
const before = Object.keys(globalThis);
const torch = await import('isotorch');
// Files of the import itself are still being closed; nothing else may be under way.
const own = /^(TTYWrap|PipeWrap|CloseReq|FSReqPromise)$/;
const atImport = {
  compiled: [...compiled],
  globals: Object.keys(globalThis).filter((key) => !before.includes(key)),
  resources: process.getActiveResourcesInfo().filter((name) => !own.test(name)),
};
const start = performance.now();
torch.tensor([1, 2, 3]).add(1);
const firstOperation = performance.now() - start;
const { program } = await import('./program.mjs');
console.log(JSON.stringify({ atImport, firstOperation, output: program() }));
