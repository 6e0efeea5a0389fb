// What the sums of losses and scales give: the first, or with `mean` its quotient by the second.

fn loss_total(group: u32, lane: u32) {
  if (lane > 0u) { return; }
  if (p.mean == 0u) { set_loss(0u, get_totals(0u)); } else { set_loss(0u, get_totals(0u) / get_totals(1u)); }
  set_scale(0u, get_totals(1u));
}
