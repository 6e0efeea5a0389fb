// What the kernels of attention share: out = softmax(scale q k^T + bias) v by blocks, of which only
// the logarithms of the softmax's sums are kept. A workgroup of 64 does products of a long tile
// (64 rows) with a short one (32), 32 of the depth at a time, in workgroup memory; an invocation
// sums 8 rows of 4 columns: rows 4 * high and 32 + 4 * high, columns 4 * low. Scores, weights and
// their gradients go from one product's result to the next one's long tile.

// Where the short tile begins; rows of a tile have a vector more, against conflicts of banks.
const SHORT = 544u;
var<workgroup> tiles: array<vec4<f32>, 832>;
// What the eight invocations of a row tell each other.
var<workgroup> exchange: array<vec4<f32>, 136>;

struct Part {
  r0: vec4<f32>, r1: vec4<f32>, r2: vec4<f32>, r3: vec4<f32>,
  r4: vec4<f32>, r5: vec4<f32>, r6: vec4<f32>, r7: vec4<f32>,
}

fn multiply(part: ptr<function, Part>, low: u32, high: u32) {
  for (var d = 0u; d < 32u; d++) {
    let a = tiles[d * 17u + high];
    let b = tiles[d * 17u + high + 8u];
    let x = tiles[SHORT + d * 9u + low];
    (*part).r0 += a.x * x;
    (*part).r1 += a.y * x;
    (*part).r2 += a.z * x;
    (*part).r3 += a.w * x;
    (*part).r4 += b.x * x;
    (*part).r5 += b.y * x;
    (*part).r6 += b.z * x;
    (*part).r7 += b.w * x;
  }
}
// The part as columns of the long tile: [column][row].
fn put(part: ptr<function, Part>, low: u32, high: u32) {
  let to = low * 68u + high;
  let a = *part;
  tiles[to] = vec4<f32>(a.r0.x, a.r1.x, a.r2.x, a.r3.x);
  tiles[to + 17u] = vec4<f32>(a.r0.y, a.r1.y, a.r2.y, a.r3.y);
  tiles[to + 34u] = vec4<f32>(a.r0.z, a.r1.z, a.r2.z, a.r3.z);
  tiles[to + 51u] = vec4<f32>(a.r0.w, a.r1.w, a.r2.w, a.r3.w);
  tiles[to + 8u] = vec4<f32>(a.r4.x, a.r5.x, a.r6.x, a.r7.x);
  tiles[to + 25u] = vec4<f32>(a.r4.y, a.r5.y, a.r6.y, a.r7.y);
  tiles[to + 42u] = vec4<f32>(a.r4.z, a.r5.z, a.r6.z, a.r7.z);
  tiles[to + 59u] = vec4<f32>(a.r4.w, a.r5.w, a.r6.w, a.r7.w);
}
fn stretch(part: ptr<function, Part>, upper: vec4<f32>, lower: vec4<f32>) {
  (*part).r0 *= upper.x;
  (*part).r1 *= upper.y;
  (*part).r2 *= upper.z;
  (*part).r3 *= upper.w;
  (*part).r4 *= lower.x;
  (*part).r5 *= lower.y;
  (*part).r6 *= lower.z;
  (*part).r7 *= lower.w;
}
fn tell(upper: vec4<f32>, lower: vec4<f32>, low: u32, high: u32) {
  exchange[low * 17u + high] = upper;
  exchange[low * 17u + high + 8u] = lower;
}
// The sums of what they told of four rows: upper ones at high, lower ones at high + 8.
fn sum_told(row: u32) -> vec4<f32> {
  var sum = exchange[row];
  for (var k = 1u; k < 8u; k++) { sum += exchange[k * 17u + row]; }
  return sum;
}
fn sum_of(v: vec4<f32>) -> f32 { return v.x + v.y + (v.z + v.w); }
fn unseen(v: vec4<f32>) -> vec4<bool> { return bitcast<vec4<u32>>(v) == vec4<u32>(0xff800000u); }

// scale q . k + bias for four pairs of query i and key j; minus infinity where i must not see j.
fn scored(n: u32, h: u32, i: vec4<u32>, j: vec4<u32>, products: vec4<f32>) -> vec4<f32> {
  var v = products * p.scale;
  var hidden = (i >= vec4<u32>(p.rows)) | (j >= vec4<u32>(p.keys));
  if (p.causal != 0u) { hidden = hidden | (j > i); }
  let row = min(i, vec4<u32>(p.rows - 1u));
  let key = min(j, vec4<u32>(p.keys - 1u));
  if (p.masked != 0u) {
    let at = row * p.mask_row + key + n * p.mask_batch + h * p.mask_head;
    let seen = vec4<u32>(get_mask(at.x), get_mask(at.y), get_mask(at.z), get_mask(at.w));
    hidden = hidden | (seen == vec4<u32>());
  }
  if (p.biased != 0u) {
    let at = row * p.bias_row + key + n * p.bias_batch + h * p.bias_head;
    v += vec4<f32>(get_bias(at.x), get_bias(at.y), get_bias(at.z), get_bias(at.w));
  }
  return select(v, vec4<f32>(-inf_f32()), hidden);
}
