// Elementary functions of the GPU kernels, the scalar twins of simd.h and simd_math.h: `exp_(x)` in
// a kernel is exp_f32 or exp_i32 here, by the dtype of the launch. NaN and infinity are told by
// their bits: WGSL may assume that comparisons never meet them.

fn pick_f32(m: bool, a: f32, b: f32) -> f32 { return select(b, a, m); }
fn pick_i32(m: bool, a: i32, b: i32) -> i32 { return select(b, a, m); }

fn isnan_f32(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }
fn isnan_i32(x: i32) -> bool { return false; }
