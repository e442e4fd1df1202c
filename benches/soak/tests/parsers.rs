//! The network functions on packets, messages and states that are nearly right: a small part of what `./x soak parsers` tries.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_soak::Task;
use perigee_soak::parsers::{FUNCTIONS, attempt};

#[test]
fn functions_live_on_what_nobody_should_send() {
    let task = Task::new(1_200, 1).unwrap();
    for function in FUNCTIONS {
        let tally = attempt(&task.root, function, task.size, task.seed).unwrap_or_else(|error| panic!("{error:#}"));
        println!("{}: {tally:?}", function.module);
        // Some of it means something to each: not all is dropped.
        let others: u64 = tally.fates.iter().filter(|(fate, _)| *fate != "drop").map(|(_, count)| count).sum();
        assert!(tally.packets > 10_000 && others * 25 > tally.packets, "{}: {tally:?}", function.module);
        assert!(function.module == "nat" || tally.answered > 0 && tally.refused > 0, "{}: {tally:?}", function.module);
    }
}
