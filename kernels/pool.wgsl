// Pooling over the last two dimensions; one invocation per result. Gradients are gathered: each
// place of the input looks at the windows it lies in, so that nothing is added atomically.

struct Window { start: i32, count: i32, padded: i32 }

// Taps of window i: `start + t * dilation` for t < count; `padded` counts those in the padding too.
fn window_at(i: u32, kernel: u32, stride: u32, pad: u32, dilation: u32, size: u32) -> Window {
  var start = i32(i * stride) - i32(pad);
  var end = start + i32((kernel - 1u) * dilation) + 1;
  let padded = min(end, i32(size + pad)) - start;
  let d = i32(dilation);
  if (start < 0) { start += (d - 1 - start) / d * d; }
  end = min(end, i32(size));
  return Window(start, (max(end - start, 0) + d - 1) / d, padded);
}
fn adaptive_at(i: u32, outputs: u32, size: u32) -> Window {
  let start = i32(i * size / outputs);
  let end = i32(((i + 1u) * size + outputs - 1u) / outputs);
  return Window(start, end - start, end - start);
}
// The windows [x, y) that may hold place `at` of the input.
fn windows_over(at: u32, kernel: u32, stride: u32, pad: u32, dilation: u32, outputs: u32) -> vec2<u32> {
  let reach = (kernel - 1u) * dilation;
  let last = (at + pad) / stride;
  let first = (at + pad - min(at + pad, reach) + stride - 1u) / stride;
  return vec2<u32>(first, min(last + 1u, outputs));
}

