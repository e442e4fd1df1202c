//! Hostcalls without a host: what they leave is kept per thread until [`super::Host`] takes it.

use std::borrow::ToOwned as _;
use std::cell::{Cell, RefCell};
use std::string::String;
use std::vec::Vec;

std::thread_local! {
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static COUNTERS: RefCell<Vec<(usize, String)>> = const { RefCell::new(Vec::new()) };
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

pub(super) fn set_time(time_ns: u64) {
    TIME.set(time_ns);
}

pub(super) fn take_log() -> Vec<String> {
    LOG.take()
}

pub(super) fn take_counters() -> Vec<(usize, String)> {
    COUNTERS.take()
}
