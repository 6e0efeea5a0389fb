// Gates of recurrent cells and their gradients, of one hidden unit.

struct Lstm { gates: vec4<f32>, next: f32, h: f32 }
// i, f, o = sigmoid, g = tanh (order i f g o); next = f c + i g; h = o tanh(next).
fn lstm_unit(sums: vec4<f32>, c: f32) -> Lstm {
  let gates = vec4<f32>(sigmoid_f32(sums.x), sigmoid_f32(sums.y), tanh_f32(sums.z), sigmoid_f32(sums.w));
  let next = gates.y * c + gates.x * gates.z;
  return Lstm(gates, next, gates.w * tanh_f32(next));
}
struct LstmGradient { gates: vec4<f32>, c: f32 }
fn lstm_gradient(gates: vec4<f32>, c: f32, next: f32, dh: f32, dnext: f32) -> LstmGradient {
  let squashed = tanh_f32(next);
  let dc = dnext + dh * gates.w * (1.0 - squashed * squashed);
  let g = vec4<f32>(
    dc * gates.z * gates.x * (1.0 - gates.x),
    dc * c * gates.y * (1.0 - gates.y),
    dc * gates.x * (1.0 - gates.z * gates.z),
    dh * squashed * gates.w * (1.0 - gates.w));
  return LstmGradient(g, dc * gates.y);
}
// r, z = sigmoid, n = tanh(gi + r gh): r z n, and next = n + z (h - n).
fn gru_unit(gi: vec3<f32>, gh: vec3<f32>, h: f32) -> vec4<f32> {
  let r = sigmoid_f32(gi.x + gh.x);
  let z = sigmoid_f32(gi.y + gh.y);
  let n = tanh_f32(gi.z + r * gh.z);
  return vec4<f32>(r, z, n, n + z * (h - n));
}
struct GruGradient { gi: vec3<f32>, gh: vec3<f32>, h: f32 }
fn gru_gradient(gates: vec3<f32>, hidden: f32, h: f32, g: f32) -> GruGradient {
  let dn = g * (1.0 - gates.y) * (1.0 - gates.z * gates.z);
  let dz = g * (h - gates.z) * gates.y * (1.0 - gates.y);
  let dr = dn * hidden * gates.x * (1.0 - gates.x);
  return GruGradient(vec3<f32>(dr, dz, dn), vec3<f32>(dr, dz, dn * gates.x), g * gates.y);
}
fn rnn_unit(sum: f32, relu: bool) -> f32 {
  if (relu) { return max_f32(sum, 0.0); }
  return tanh_f32(sum);
}
fn rnn_gradient(g: f32, h: f32, relu: bool) -> f32 {
  if (relu) { return select(0.0, g, h > 0.0); }
  return g * (1.0 - h * h);
}
