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
const atImport = {
  compiled: [...compiled],
  globals: Object.keys(globalThis).filter((key) => !before.includes(key)),
  resources: process.getActiveResourcesInfo().filter((name) => !/^(TTY|Pipe)Wrap$/.test(name)),
};
const start = performance.now();
torch.tensor([1, 2, 3]).add(1);
const firstOperation = performance.now() - start;
const { program } = await import('./program.mjs');
console.log(JSON.stringify({ atImport, firstOperation, output: program() }));
