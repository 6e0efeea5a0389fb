// How a product is cut: tiles of ROWS by COLS, and `p.splits` slices of the depth. Both forms of
// the tiles read this, so their sums have the same bits.

const STEP = 16u;

// Depth of a slice: a multiple of the step.
fn slice_depth() -> u32 { return (p.depth + p.splits * STEP - 1u) / (p.splits * STEP) * STEP; }
fn tiles_down() -> u32 { return (p.rows + ROWS - 1u) / ROWS; }
fn tiles_across() -> u32 { return (p.cols + COLS - 1u) / COLS; }
