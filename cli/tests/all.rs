//! The command's tests: each file says of what. They are one program, since to link one takes longer than to run most of them.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod captures;
mod commands;
mod compile;
mod conformance;
mod ctl;
mod ctl_lab;
mod ctl_swap;
mod cures;
mod evidence;
mod files;
mod given;
mod jail;
mod lab;
mod memif;
mod memory_fits;
mod messages;
mod metrics;
mod modules;
mod new;
mod page;
mod pages;
mod peers_interfaces;
mod peers_iperf;
mod peers_offload;
mod peers_pcap;
mod peers_ping;
mod peers_stop;
mod peers_times;
mod peers_vlan;
mod peers_vxlan;
mod ports_fail;
mod ports_start;
mod provenance;
mod signals;
mod texts;
