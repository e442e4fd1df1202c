//! What libpcap does for us: captures that ports read and write, and filters in its language.

pub mod capture;
pub mod file;
pub mod filter;
mod sys;
