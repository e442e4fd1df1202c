//! Hostcalls without a host: what they leave is kept per thread until [`super::Host`] takes it.

use perigee_abi::names;
use std::borrow::ToOwned as _;
use std::cell::{Cell, RefCell};
use std::string::String;
use std::vec::Vec;

std::thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static COUNTERS: RefCell<Vec<(usize, String)>> = const { RefCell::new(Vec::new()) };
    static TOLD: RefCell<Vec<(u32, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
    static TARGETS: Cell<(u32, bool)> = const { Cell::new((0, false)) };
    static TIME: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn host_log(_level: u32, line: &str) {
    LOG.with_borrow_mut(|log| log.push(line.to_owned()));
}

pub(crate) fn host_counter(index: usize, name: &str) {
    COUNTERS.with_borrow_mut(|counters| counters.push((index, name.to_owned())));
}

pub(crate) fn host_time() -> u64 {
    TIME.get()
}

pub(crate) fn host_tell(target: u32, message: &[u8]) -> i32 {
    let (targets, is_full) = TARGETS.get();
    if target >= targets {
        return names::TELL_NOT_GRANTED;
    }
    if message.len() > names::TELL_MAX {
        return names::TELL_TOO_LONG;
    }
    if is_full {
        return names::TELL_FULL;
    }
    TOLD.with_borrow_mut(|told| told.push((target, message.to_vec())));
    0
}

pub(super) fn set_targets(targets: u32, is_full: bool) {
    TARGETS.set((targets, is_full));
}

pub(super) fn take_told() -> Vec<(u32, Vec<u8>)> {
    TOLD.take()
}

pub(super) fn set_time(time_ns: u64) {
    TIME.set(time_ns);
}

pub(super) fn take_log() -> Vec<String> {
    LOG.take()
}

pub(super) fn take_counters() -> Vec<(usize, String)> {
    COUNTERS.take()
}
