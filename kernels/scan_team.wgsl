
struct Scanned { before: E, total: E }

var<workgroup> totals: array<E, WORKGROUP>;

// The total of a team's values, and of those before an invocation's own.
fn team_scan(value: E, at: u32, team: u32) -> Scanned {
  totals[at] = value;
  for (var step = 1u; step < team; step *= 2u) {
    workgroupBarrier();
    var sum = totals[at];
    if (at % team >= step) { sum = join(totals[at - step], sum); }
    workgroupBarrier();
    totals[at] = sum;
  }
  workgroupBarrier();
  var before = unit();
  if (at % team > 0u) { before = totals[at - 1u]; }
  let total = totals[at - at % team + team - 1u];
  workgroupBarrier();
  return Scanned(before, total);
}
