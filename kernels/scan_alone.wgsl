
struct Scanned { before: E, total: E }

// team_scan for teams of one.
fn team_scan(value: E, at: u32, team: u32) -> Scanned { return Scanned(unit(), value); }
