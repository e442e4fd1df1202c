//! Manifests of grants: read, written, read again, and compared with each other.

use perigee_runtime::config::Grants;
use std::sync::{Mutex, PoisonError};

/// Manifests to begin with: none, all keys, little.
pub(crate) const CORPUS: [&str; 4] = [
    "",
    r#"tx = ["a", "b"]
tx_queues = [0, 3]
rings = ["r"]
create = true
packets_per_second = 1000000
bits_per_second = 10000000000
source_mac = ["02:00:00:00:00:01"]
source_ip = ["10.0.0.0/8", "2001:db8::/32"]
memory = "64M"
table = 1024
stack = "256K"
deadline = "3ms"
hold = 100
hold_age = "1s"
hostcalls = ["log", "counter", "time"]
clock = "precise"
log_lines = 10
counters = 8
"#,
    "deadline = \"500us\"\nmemory = \"16M\"\nstack = \"128K\"\nhold = 0\nhold_age = \"1h\"\n",
    "source_ip = [\"10.1.0.0/16\"]\nsource_mac = [\"02:00:00:00:00:01\", \"02:00:00:00:00:02\"]\ntx = [\"a\"]\n",
];

/// The last manifests that could be read, to compare the next one with.
static BEFORE: Mutex<Vec<Grants>> = Mutex::new(Vec::new());
const KEPT: usize = 8;

/// Takes bytes for a manifest. What can be read can be written, and is the same when it is read again; nothing is beyond
/// itself; and what is within the bounds of something that is within others' is within those.
pub(crate) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(grants) = toml::from_str::<Grants>(text) else { return };
    // TOML's integers have 63 bits.
    if let Ok(written) = toml::to_string(&grants) {
        let again: Grants = toml::from_str(&written).unwrap_or_else(|e| panic!("{e}\n{written}"));
        assert_eq!(again, grants, "{written}");
    } else {
        let numbers = [Some(grants.memory), Some(grants.stack), grants.packets_per_second, grants.bits_per_second];
        assert!(numbers.iter().flatten().any(|n| i64::try_from(*n).is_err()), "it cannot be written: {grants:?}");
    }
    assert_eq!(grants.beyond(&grants), Vec::<String>::new(), "beyond itself");
    let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    for middle in before.iter().filter(|middle| grants.beyond(middle).is_empty()) {
        for outer in before.iter().filter(|outer| middle.beyond(outer).is_empty()) {
            assert_eq!(grants.beyond(outer), Vec::<String>::new(), "{grants:?}\n{middle:?}\n{outer:?}");
        }
    }
    if before.len() == KEPT {
        before.remove(0);
    }
    before.push(grants);
}
