// The steps, in the order of operations of PyTorch's single-tensor code. Each changes `param` and
// `state` and returns how many states it has. Options come in two floats, the second with what the
// first lacks, so that 1 - beta keeps its digits.

fn rest_of(value: f32, low: f32) -> f32 { return (1.0 - value) - low; }
fn decayed(decay: f32) -> f32 {
  let g = select(grad, -grad, p.maximize != 0u);
  return select(g, g + decay * param, decay != 0.0);
}
fn sgdStep() -> u32 {
  var d = decayed(p.weightDecay);
  var states = 0u;
  if (p.momentum != 0.0) {
    let moved = state[0] * p.momentum + rest_of(p.dampening, p.dampening_low) * d;
    let buffer = select(moved, d, a != 0.0);
    state[0] = buffer;
    states = 1u;
    d = select(buffer, d + p.momentum * buffer, p.nesterov != 0u);
  }
  param -= p.lr * d;
  return states;
}
fn adamStep() -> u32 {
  if (p.decoupled != 0u) { param *= 1.0 - p.lr * p.weightDecay; }
  let g = decayed(select(p.weightDecay, 0.0, p.decoupled != 0u));
  state[0] = state[0] * p.beta1 + rest_of(p.beta1, p.beta1_low) * g;
  var v = state[1] * p.beta2 + rest_of(p.beta2, p.beta2_low) * g * g;
  state[1] = v;
  if (p.amsgrad != 0u) {
    v = max_f32(state[2], v);
    state[2] = v;
  }
  param -= a * state[0] / (sqrt(v) / b + p.eps);
  return select(2u, 3u, p.amsgrad != 0u);
}
fn rmspropStep() -> u32 {
  let g = decayed(p.weightDecay);
  var mean = state[0] * p.alpha + rest_of(p.alpha, p.alpha_low) * g * g;
  state[0] = mean;
  if (p.centered != 0u) {
    let average = state[1] * p.alpha + rest_of(p.alpha, p.alpha_low) * g;
    state[1] = average;
    mean -= average * average;
  }
  let root = sqrt(mean) + p.eps;
  if (p.momentum > 0.0) {
    state[2] = state[2] * p.momentum + g / root;
    param -= p.lr * state[2];
    return 3u;
  }
  param -= p.lr * g / root;
  return select(1u, 2u, p.centered != 0u);
}
fn adagradStep() -> u32 {
  let g = decayed(p.weightDecay);
  state[0] += g * g;
  param -= a * g / (sqrt(state[0]) + p.eps);
  return 1u;
}
fn adadeltaStep() -> u32 {
  let g = decayed(p.weightDecay);
  let rest = rest_of(p.rho, p.rho_low);
  state[0] = state[0] * p.rho + rest * g * g;
  let delta = sqrt(state[1] + p.eps) / sqrt(state[0] + p.eps) * g;
  state[1] = state[1] * p.rho + rest * delta * delta;
  param -= p.lr * delta;
  return 2u;
}
fn adamaxStep() -> u32 {
  let g = decayed(p.weightDecay);
  state[0] = state[0] * p.beta1 + rest_of(p.beta1, p.beta1_low) * g;
  state[1] = max_f32(state[1] * p.beta2, abs(g) + p.eps);
  param -= a * state[0] / state[1];
  return 2u;
}
fn nadamStep() -> u32 {
  let g = decayed(p.weightDecay);
  state[0] = state[0] * p.beta1 + rest_of(p.beta1, p.beta1_low) * g;
  state[1] = state[1] * p.beta2 + rest_of(p.beta2, p.beta2_low) * g * g;
  let denominator = sqrt(state[1] / c) + p.eps;
  param -= a * g / denominator;
  param -= b * state[0] / denominator;
  return 2u;
}
fn radamStep() -> u32 {
  let g = decayed(p.weightDecay);
  state[0] = state[0] * p.beta1 + rest_of(p.beta1, p.beta1_low) * g;
  state[1] = state[1] * p.beta2 + rest_of(p.beta2, p.beta2_low) * g * g;
  var move_by = state[0] / a * p.lr;
  if (b != 0.0) { move_by *= b / (sqrt(state[1]) + p.eps); }
  param -= move_by;
  return 2u;
}
fn rpropStep() -> u32 {
  var g = select(grad, -grad, p.maximize != 0u);
  let turn = g * state[0];
  let factor = select(select(1.0, p.etaMinus, turn < 0.0), p.etaPlus, turn > 0.0);
  let size = min(max(state[1] * factor, p.least), p.most);
  g = select(g, 0.0, turn < 0.0);
  state[1] = size;
  state[0] = g;
  param -= sign_f32(g) * size;
  return 2u;
}
fn asgdStep() -> u32 {
  let g = decayed(p.weightDecay);
  param *= 1.0 - p.lambd * a;
  param -= a * g;
  state[0] = select(state[0] + (param - state[0]) * b, param, b == 1.0);
  return 1u;
}
