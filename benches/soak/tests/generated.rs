//! Generated modules through loading, `init` and batches: other ones in each run, and the seed is printed.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_soak::generated::{self, BATCHES};
use std::time::{Instant, UNIX_EPOCH};

/// How many: what half a minute is enough for. `./x soak` tries many more.
const COUNT: u64 = 2_000;

#[test]
fn whatever_a_module_does_the_host_goes_on() {
    // Seeds of one run follow each other, so those of two runs lie far apart.
    let seed = UNIX_EPOCH.elapsed().unwrap().as_secs() << 20;
    let begin = Instant::now();
    let tally = generated::try_all(COUNT, seed, BATCHES).unwrap();
    println!("seed {seed}, {:.1?}: {tally:#?}", begin.elapsed());
    assert_eq!(tally.generated, COUNT);
    // They are shaped to get as far as this.
    assert!(tally.loaded > COUNT / 2 && tally.started > COUNT / 2, "{tally:?}");
    assert!(tally.lived > COUNT / 50 && tally.ends.len() > 3, "{tally:?}");
}
