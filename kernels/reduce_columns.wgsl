// One step of a reduction that needs no joining of invocations: each takes four neighbouring
// columns of a block of rows. Lines of p.n elements are rows of p.inner, where they are contiguous
// of any width: then the last row may end early. The result is [outer, blocks, inner].

fn term4(v: vec4<S>) -> vec4<S> { return vec4<S>(term(v.x), term(v.y), term(v.z), term(v.w)); }
fn meet4(a: vec4<S>, b: vec4<S>) -> vec4<S> {
  return vec4<S>(meet(a.x, b.x), meet(a.y, b.y), meet(a.z, b.z), meet(a.w, b.w));
}

fn reduce(group: u32, lane: u32) {
  let result = group * WORKGROUP + lane;
  if (result >= p.results) { return; }
  let across = p.inner / 4u;
  let block = result / across % p.blocks;
  let line = result / across / p.blocks * (p.n / 4u);
  var k = line + block * p.block * across + result % across;
  let stop = line + min(p.n / 4u, (block + 1u) * p.block * across);
  let none = vec4<S>(identity());
  var a = none;
  var b = none;
  var c = none;
  var d = none;
  for (; k + 3u * across < stop; k += 4u * across) {
    a = meet4(a, term4(get4_x(k)));
    b = meet4(b, term4(get4_x(k + across)));
    c = meet4(c, term4(get4_x(k + 2u * across)));
    d = meet4(d, term4(get4_x(k + 3u * across)));
  }
  for (; k < stop; k += across) { a = meet4(a, term4(get4_x(k))); }
  let v = meet4(meet4(a, b), meet4(c, d));
  set4_out(result, vec4<S>(ended(v.x), ended(v.y), ended(v.z), ended(v.w)));
}
