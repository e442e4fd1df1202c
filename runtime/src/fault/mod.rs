//! What a module's failure leads to. An lcore that sees one frees and counts the packets, takes the instance out of use and
//! tells the control side; everything else happens here.

mod backoff;
mod board;
mod keeper;
mod links;
mod watchdog;

pub(crate) use keeper::Keeper;
pub(crate) use links::{Links, lcores_have_left, wait_for_links};
pub(crate) use watchdog::Watchdog;
