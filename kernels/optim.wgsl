// One optimiser step for all parameters of a group; see optim.c. `table` holds 12 words per
// parameter: param, grad, three states, count, and three doubles of its own. A workgroup does a
// block of 4096 elements, counted through all parameters, by steps(entry, first, end), which the
// twin adds: element after element or by vectors. The steps are in optim_steps.wgsl.

const ENTRY = 12u;
const BLOCK = 4096u;
var<private> param: f32;
var<private> grad: f32;
var<private> state: array<f32, 3>;
// The parameter's own scalars.
var<private> a: f32;
var<private> b: f32;
var<private> c: f32;

// The double at words i and i + 1 as the nearest float; zero and normal numbers.
fn double_at(i: u32) -> f32 {
  let low = p.table[i];
  let high = p.table[i + 1u];
  let exponent = (high >> 20u) & 0x7ffu;
  if (exponent < 897u) { return 0.0; }
  let fraction = ((high & 0xfffffu) << 3u) | (low >> 29u);
  let bits = ((exponent - 896u) << 23u) + fraction + ((low >> 28u) & 1u);
  return bitcast<f32>(bits | (high & 0x80000000u));
}

fn optim(group: u32, lane: u32) {
  var entry = 0u;
  var unit = group;
  var blocks = (p.table[5] + BLOCK - 1u) / BLOCK;
  while (unit >= blocks) {
    unit -= blocks;
    entry += ENTRY;
    blocks = (p.table[entry + 5u] + BLOCK - 1u) / BLOCK;
  }
  a = double_at(entry + 6u);
  b = double_at(entry + 8u);
  c = double_at(entry + 10u);
  steps(entry, unit * BLOCK, min((unit + 1u) * BLOCK, p.table[entry + 5u]), lane);
}
