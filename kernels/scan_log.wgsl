// log(sum(exp(x))) so far as (most, sum of exp(x - most)): nothing overflows.
alias E = vec2<f32>;

fn unit() -> E { return vec2<f32>(lowest_f32(), 0.0); }
fn lift(k: u32, i: u32) -> E { return vec2<f32>(get_x(k), 1.0); }
fn emit(k: u32, e: E) { set_out(k, e.x + log_f32(e.y)); }
fn pack(e: E) -> vec2<u32> { return bitcast<vec2<u32>>(e); }
fn unpack(words: vec2<u32>) -> E { return bitcast<vec2<f32>>(words); }

// exp(a - most), also where both are infinite.
fn fraction(a: f32, most: f32) -> f32 {
  if (bitcast<u32>(a) == bitcast<u32>(most)) { return 1.0; }
  return exp_f32(a - most);
}
fn join(a: E, b: E) -> E {
  let most = max_f32(a.x, b.x);
  return vec2<f32>(most, a.y * fraction(a.x, most) + b.y * fraction(b.x, most));
}
