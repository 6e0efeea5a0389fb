// Dropout masks: `scale` with probability `kept`, else 0. Numbers are Philox 4x32-10 (Salmon et al.,
// 2011): four words from a counter and a key, so any element is drawn without those before it.

// The upper half of a * b.
fn product_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let left = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let right = (a & 0xffffu) * (b >> 16u) + (left & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u);
}

fn philox(counter: u32, seed: vec2<u32>) -> vec4<u32> {
  var c = vec4<u32>(counter, 0u, 0u, 0u);
  var k = seed;
  for (var i = 0u; i < 10u; i++) {
    let x = vec2<u32>(product_high(0xd2511f53u, c.x), 0xd2511f53u * c.x);
    let z = vec2<u32>(product_high(0xcd9e8d57u, c.z), 0xcd9e8d57u * c.z);
    c = vec4<u32>(z.x ^ c.y ^ k.x, z.y, x.x ^ c.w ^ k.y, x.y);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

fn dropout_noise(group: u32, lane: u32) {
  let block = group * 256u + lane;
  if (block * 4u >= p.count) { return; }
  let words = philox(block, vec2<u32>(p.low, p.high));
  let drawn = vec4<f32>(words >> vec4<u32>(8u)) * 0x1p-24f;
  set4_out(block, select(vec4<f32>(0.0), vec4<f32>(p.scale), drawn < vec4<f32>(p.kept)));
}
