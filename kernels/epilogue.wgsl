// What follows the sum of a column, by the bits of p.epilogue: none where sums are partial.

const BIAS = 1u;
const RELU = 2u;

fn finished(sum: S, col: u32) -> S {
  var v = sum;
  if ((p.epilogue & BIAS) != 0u) { v += get_bias(col); }
  return select(v, S(0), (p.epilogue & RELU) != 0u && v < S(0));
}
