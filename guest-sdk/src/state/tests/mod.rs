//! The tables against simple ones that are right by inspection.

mod bucket;
mod five_tuple;
mod flow;
mod histogram;
mod lpm;
mod routes;
mod routes_shared;
mod wheel;

use super::*;
use std::string::ToString as _;

#[test]
fn what_is_wrong_is_said() {
    let refusal = Refusal::from(NoMemory { bytes: 4_096 });
    assert_eq!(
        refusal.to_string(),
        "the module's heap has no room for 4096 bytes more: configure smaller tables, or declare a larger heap \
         (`heap = ...` in `module!`)"
    );
    assert_eq!(Refusal::from(TableFull(())).to_string(), "the table is full: configure a larger one, or fewer entries");
    assert!(Refusal::from(BadRate).to_string().starts_with("a burst is 1 to"));
    assert!(Refusal::from(BadPrefix::HostBits).to_string().starts_with("has bits set"));
    assert!(Refusal::from(BadHistogram::Memory(NoMemory { bytes: 8 })).to_string().contains("no room for 8 bytes"));
    let none = NoMemory { bytes: usize::MAX };
    assert_eq!(room::<u64>(usize::MAX).map(|_| ()), Err(none));
    assert_eq!(filled(usize::MAX / 4, 0_u64).map(|_| ()), Err(none));
}
