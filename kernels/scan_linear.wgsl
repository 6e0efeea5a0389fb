// Recurrences as (factor, value) of the linear function that each element, or what came so far, is of the one before.
alias E = vec2<f32>;

fn unit() -> E { return vec2<f32>(1.0, 0.0); }
fn lift(k: u32, i: u32) -> E {
  if (i == 0u) { return vec2<f32>(0.0, get_x(k)); }
  let before = select(k - p.inner, k + p.inner, p.reverse != 0u);
  return vec2<f32>(get_factor(select(k, before, p.lag != 0u)), get_x(k));
}
fn join(a: E, b: E) -> E { return vec2<f32>(a.x * b.x, b.y + b.x * a.y); }
fn emit(k: u32, e: E) { set_out(k, e.y); }
fn pack(e: E) -> vec2<u32> { return bitcast<vec2<u32>>(e); }
fn unpack(words: vec2<u32>) -> E { return bitcast<vec2<f32>>(words); }
