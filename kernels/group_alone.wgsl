// The functions of group.wgsl for teams of one.

fn group_sum_f32(value: f32, at: u32, team: u32) -> f32 { return value; }
fn group_sum2_f32(value: vec2<f32>, at: u32, team: u32) -> vec2<f32> { return value; }
fn group_sum_i32(value: i32, at: u32, team: u32) -> i32 { return value; }
fn group_max_f32(value: f32, at: u32, team: u32) -> f32 { return value; }
fn group_meet_f32(value: f32, at: u32, team: u32) -> f32 { return value; }
fn group_meet_i32(value: i32, at: u32, team: u32) -> i32 { return value; }
fn group_meet_u32(value: u32, at: u32, team: u32) -> u32 { return value; }
fn group_best(best: vec2<u32>, at: u32, team: u32) -> vec2<u32> { return best; }
