//! Long runs against the host.

fn main() {}
