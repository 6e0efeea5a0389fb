// Largest (or least) so far as (key, place): the last of equals; a NaN stays until the next.
alias E = vec2<u32>;

fn unit() -> E { return vec2<u32>(); }
fn lift(k: u32, i: u32) -> E {
  let x = get_x(k);
  let key = order_key_(x);
  return vec2<u32>(select(key, ~key, p.least != 0u && !isnan_(x)), i);
}
fn join(a: E, b: E) -> E { return select(a, b, b.x >= a.x); }
fn emit(k: u32, e: E) {
  let line = k / p.inner / p.n * p.inner + k % p.inner;
  set_values(k, get_x(element(line, e.y)));
  set_places(k, i32(e.y));
}
fn pack(e: E) -> vec2<u32> { return e; }
fn unpack(words: vec2<u32>) -> E { return words; }
