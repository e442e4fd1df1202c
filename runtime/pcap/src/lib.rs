//! What libpcap does for us: captures that ports read and write, and filters in its language. And files of packets by our own hand, with
//! indexes that say where in them a filter could find something.

pub mod capture;
pub mod file;
pub mod filter;
pub mod index;
mod sys;
