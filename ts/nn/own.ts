/** Says which modules are the library's own. */

import * as nn from './index.js';
import { library, Module } from './module.js';

for (const type of Object.values(nn) as unknown[]) {
  const { prototype } = type as { prototype?: unknown };
  if (prototype instanceof Module) library.set(type, prototype.forward);
}
