//! The runtime's tests on ports: each file says of what. They are one program, since to link one takes longer than to run most
//! of them, and take turns (`perigee_lab::Bench`): DPDK is there once in a process.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod apply;
mod backpressure;
mod control;
mod data_path;
mod domains;
mod evidence;
mod faults;
mod flows;
mod grants;
mod hostcalls;
mod measuring;
mod methods;
mod model;
mod offloads;
mod pacing;
mod paths;
mod read_ahead;
mod regions;
mod replay;
mod requests;
mod sim;
mod stage_times;
mod swap;
mod swap_state;
mod tell;
mod wasi;
mod wires;
