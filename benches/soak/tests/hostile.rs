//! Every hostile module of the catalogue, in real runs in one process: refused, or contained beside a neighbour that loses
//! nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_soak::Task;
use perigee_soak::hostile::{self, Hostile};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Modules in one run.
const GROUP: usize = 16;

/// One run at a time: they share the machine's cores and DPDK's names.
static ALONE: Mutex<()> = Mutex::new(());

fn modules() -> PathBuf {
    Task::new(1, 1).unwrap().root.join("target/modules")
}

/// Runs them in groups, and prints what became of them; all that is wrong is said at once.
fn contained(what: &str, modules: &[Hostile]) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let (mut wrong, mut neighbour, mut faults, begin) = (Vec::new(), 0, 0, Instant::now());
    // What writes over other rooms of the domain would change what the others try.
    let (scribbling, others): (Vec<_>, Vec<_>) = modules.iter().cloned().partition(|hostile| hostile.scribbles);
    for group in others.chunks(GROUP).chain(scribbling.chunks(GROUP)) {
        match hostile::run_group(folder.path(), &self::modules(), group) {
            Ok(outcome) => {
                neighbour += outcome.neighbour;
                faults += outcome.faults;
            }
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    let taken = begin.elapsed();
    println!("{what}: {} modules, {faults} faults, {neighbour} packets of the neighbour's, {taken:.1?}", modules.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_breaks_the_contract_is_refused_in_plain_words() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let (mut wrong, mut refused, begin) = (Vec::new(), 0, Instant::now());
    for hostile in hostile::catalogue().iter().filter(|hostile| hostile.refused.is_some()) {
        match hostile::refuse(folder.path(), &modules(), hostile) {
            Ok(()) => refused += 1,
            Err(error) => wrong.push(format!("{}: {error:#}", hostile.name)),
        }
    }
    println!("refused: {refused} modules, {:.1?}", begin.elapsed());
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn hostile_modules_harm_nobody_beside_them() {
    let catalogue = hostile::catalogue();
    assert!(catalogue.len() >= 120, "{} modules", catalogue.len());
    let runs: Vec<_> = catalogue.into_iter().filter(|hostile| hostile.refused.is_none()).collect();
    contained("hostile", &runs);
}

#[test]
fn bulk_operations_at_every_edge_harm_nobody() {
    contained("bulk", &hostile::bulk::catalogue());
}
