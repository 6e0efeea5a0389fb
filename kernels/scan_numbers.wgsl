// Totals that are numbers of the launch; the kernel adds unit() and join(a, b).
alias E = S;

fn lift(k: u32, i: u32) -> E { return get_x(k); }
fn emit(k: u32, e: E) { set_out(k, e); }
fn pack(e: E) -> vec2<u32> { return vec2<u32>(bitcast<u32>(e), 0u); }
fn unpack(words: vec2<u32>) -> E { return bitcast<S>(words.x); }
