//! A thousand endless loops, at every place where a module is called: all are stopped, and nearly all at once.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_soak::{Task, scenarios};
use std::time::{Duration, Instant};

#[test]
fn a_thousand_endless_loops_are_stopped() {
    let begin = Instant::now();
    let loops = scenarios::find("loops").unwrap();
    let report = (loops.run)(&Task::new(1_000, 1).unwrap()).unwrap();
    println!("{:#?}", report.figures);
    assert_eq!(report.done, 1_000);
    assert!(begin.elapsed() < Duration::from_secs(20), "it took {:?}", begin.elapsed());
}
