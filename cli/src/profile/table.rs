//! What the summary says of a profile: the functions that took most, and cycles by phase.

use crate::table::{Table, count};
use perigee_runtime::Snapshot;
use perigee_runtime::profile::Profile;
use std::collections::HashMap;
use std::path::Path;

/// Sleep is told of from one part in so many on.
const TOLD: u64 = 100;
/// Functions of each lcore in the summary.
const SHOWN: usize = 10;
/// Characters of a function's name in the table.
const NAME: usize = 70;

/// All of it.
pub(super) fn text(profile: &Profile, last: &Snapshot, graph: &Path) -> String {
    let lcores = profile.lcores();
    let samples: u64 = lcores.values().map(|(all, _)| all).sum();
    let mut text = format!("\nprofile: {} samples, {} a second of each lcore", count(samples), profile.hz);
    if profile.lost > 0 {
        text += &format!(", {} lost", count(profile.lost));
    }
    text += &format!(". The flame graph is {}\n", graph.display());
    for (lcore, (all, idle)) in &lcores {
        if idle.saturating_mul(TOLD) >= *all {
            text +=
                &format!("  lcore {lcore} slept in {} of its samples: shares are of the others\n", share(*idle, *all));
        }
    }
    text + &functions(profile, SHOWN) + &phases(last)
}

/// Those functions of each lcore that took most, at most so many.
pub(super) fn functions(profile: &Profile, most: usize) -> String {
    let mut table = Table::new(&["lcore", "<chain/module", "self", "with callees", "<function"]);
    let busy: HashMap<u32, u64> =
        profile.lcores().into_iter().map(|(lcore, (all, idle))| (lcore, all - idle)).collect();
    let mut shown: HashMap<u32, usize> = HashMap::new();
    for function in profile.functions() {
        let number = shown.entry(function.lcore).or_default();
        *number += 1;
        if *number > most || function.own == 0 {
            continue;
        }
        let all = busy.get(&function.lcore).copied().unwrap_or(0);
        table.row([
            function.lcore.to_string(),
            function.place,
            share(function.own, all),
            share(function.total, all),
            short(&function.function, most),
        ]);
    }
    table.text_unless_empty()
}

/// In the summary, names are cut at their beginning: what they end with is what tells them apart.
fn short(name: &str, most: usize) -> String {
    let len = name.chars().count();
    if most == usize::MAX || len <= NAME {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(len - NAME)).collect()
}

/// Cycles by packet and phase, of each chain.
fn phases(last: &Snapshot) -> String {
    let mut table =
        Table::new(&["<cycles/packet", "lcore", "rx", "publish", "guest", "collect", "tx", "free", "packets"]);
    for chain in last.chains.iter().filter(|chain| chain.phases.packets > 0) {
        let phases = &chain.phases;
        let cycles = phases.named().map(|(_, cycles)| count(cycles / phases.packets));
        let row = [chain.name.clone(), chain.lcore.to_string()];
        table.row(row.into_iter().chain(cycles).chain([count(phases.packets)]));
    }
    table.text_unless_empty()
}

/// A part of a whole, in percent with one digit behind the point.
fn share(part: u64, whole: u64) -> String {
    let permille = (u128::from(part) * 1_000).checked_div(whole.into()).unwrap_or(0);
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_runtime::profile::Stack;
    use perigee_runtime::{ChainStats, PhaseCycles};

    #[test]
    fn the_summary_names_what_took_most() {
        let stack = |module: Option<&str>, functions: &[&str], is_idle, samples| Stack {
            lcore: 1,
            chain: module.map(|_| "c".to_owned()),
            module: module.map(str::to_owned),
            is_idle,
            functions: functions.iter().map(|&name| name.to_owned()).collect(),
            samples,
        };
        let long = "x".repeat(100);
        let stacks = vec![
            stack(Some("m"), &["process", "slow"], false, 600),
            stack(Some("m"), &["process"], false, 100),
            stack(None, &["poll", &long], false, 50),
            stack(None, &["clock_nanosleep"], true, 250),
        ];
        let profile = Profile { hz: 997, lost: 3, stacks, ..Profile::default() };
        let phases = PhaseCycles { packets: 10, rx: 100, guest: 2_000, ..PhaseCycles::default() };
        let chains = vec![ChainStats { name: "c".into(), lcore: 1, phases, ..ChainStats::default() }];
        let told = text(&profile, &Snapshot { chains, ..Snapshot::default() }, Path::new("p/flame.svg"));
        let cut = "x".repeat(NAME);
        let expected = format!(
            "
profile: 1,000 samples, 997 a second of each lcore, 3 lost. The flame graph is p/flame.svg
  lcore 1 slept in 25.0 % of its samples: shares are of the others
  lcore  chain/module    self  with callees  function
      1  c/m           80.0 %        80.0 %  slow
      1  c/m           13.3 %        93.3 %  process
      1  host           6.6 %         6.6 %  …{cut}
  cycles/packet  lcore  rx  publish  guest  collect  tx  free  packets
  c                  1  10        0    200        0   0     0       10
"
        );
        assert_eq!(told, expected);
        assert!(functions(&profile, usize::MAX).contains(&long));
    }
}
