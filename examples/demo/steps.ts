/**
 * Times training steps of the demo's network on one batch, and prints how many images it takes in a
 * second: node scripts/run.mjs examples/demo/steps.ts <recipe as JSON>
 */

import * as torch from '../../ts/index.js';
import { makeModel, makeOptimizer } from './model.js';
import type { Recipe } from './recipe.js';

const SECONDS = 1.5;

const recipe = JSON.parse(process.argv[2]) as Recipe & { threads: number };
if (recipe.threads > 0) torch.setNumThreads(recipe.threads);
const model = makeModel(recipe.model);
const optimizer = makeOptimizer(model, recipe);
const lossFunction = new torch.nn.CrossEntropyLoss();
const images = torch.rand(recipe.batchSize, 1, 28, 28);
const labels = torch.randint(0, 10, [recipe.batchSize]);

/** Images per second over some time. */
async function rate(seconds: number): Promise<number> {
  const start = performance.now();
  let steps = 0;
  let passed = 0;
  do {
    optimizer.zeroGrad();
    const loss = lossFunction(model(images), labels);
    loss.backward();
    optimizer.step();
    await loss.item();
    steps++;
    passed = (performance.now() - start) / 1000;
  } while (passed < seconds);
  return (steps * recipe.batchSize) / passed;
}

await rate(SECONDS / 3);
console.log(await rate(SECONDS));
