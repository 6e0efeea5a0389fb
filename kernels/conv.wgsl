// Convolution and its gradients as products of matrices that are never built: each entry says from
// its row, column and depth where in the tensors it lies. Prefixed by gemm.wgsl; batches of the
// product are groups of the convolution. `p.channels` and `p.filters` are those of one group.

// Row, column and offset of four places that a product's columns stand for.
var<private> four0: vec3<i32>;
var<private> four1: vec3<i32>;
var<private> four2: vec3<i32>;
var<private> four3: vec3<i32>;
var<private> left: u32;
var<private> base_a: u32;

fn taps() -> u32 { return p.kernel_h * p.kernel_w; }
fn pixels() -> u32 { return p.out_h * p.out_w; }
fn bias_of(filter_index: u32) -> S {
  if (p.biased == 0u) { return S(0); }
  return get_bias(filter_index);
}
// a / b by way of floats, several times faster than the division of integers: exact here, since
// below 2^21 the float's quotient is off by one at most. SMALL says that all are below; the twin
// puts it before this text (software adapters run both sides of a branch).
fn quotient(a: u32, b: u32) -> u32 {
  if (!SMALL && a >= 0x200000u) { return a / b; }
  let q = u32(f32(a) / f32(b));
  let rest = i32(a) - i32(q * b);
  return q + select(0u, 1u, rest >= i32(b)) - select(0u, 1u, rest < 0);
}
// Quotient and rest.
fn divided(a: u32, b: u32) -> vec2<u32> {
  let q = quotient(a, b);
  return vec2<u32>(q, a - q * b);
}
// A row that no shift brings inside.
const NOWHERE = -0x40000000;
fn inside(y: i32, x: i32, height: u32, width: u32) -> bool {
  return u32(y) < height && u32(x) < width;
}
