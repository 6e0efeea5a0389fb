// Template: joins the values (of one type, by one function) of the invocations of a team, all of
// which get the result, the same bits in every run. All of the workgroup call it. Sixteen at a time
// are joined by one invocation: a barrier costs more than that.

var<workgroup> parts_FOLD: array<TYPE, WORKGROUP>;
var<workgroup> tops_FOLD: array<TYPE, WORKGROUP / 2u>;

fn group_FOLD(value: TYPE, at: u32, team: u32) -> TYPE {
  let mine = at % team;
  let first = at - mine;
  parts_FOLD[at] = value;
  workgroupBarrier();
  if (team <= 16u) {
    var total = parts_FOLD[first];
    for (var k = 1u; k < team; k++) { total = JOIN(total, parts_FOLD[first + k]); }
    workgroupBarrier();
    return total;
  }
  let top = at / team * 16u;
  if (mine < 16u) {
    var total = parts_FOLD[at];
    for (var k = mine + 16u; k < team; k += 16u) { total = JOIN(total, parts_FOLD[first + k]); }
    tops_FOLD[top + mine] = total;
  }
  workgroupBarrier();
  // The next call writes other memory before its first barrier, so none is needed here.
  var total = tops_FOLD[top];
  for (var k = 1u; k < 16u; k++) { total = JOIN(total, tops_FOLD[top + k]); }
  return total;
}
