//! A line to simulate: what happens on it must hold for every seed.

use crate::sequence::{counting, generator, strict_checker, to_ring};
use std::path::Path;

/// Generator, wire, function, ring, checker: two lcores' worth of chains.
pub const LINE: &str = r#"
[run]
duration = "5ms"
[[port]]
name = "load"
device = "wire:lab,end=a,rate=10G,delay=5us,jitter=2us"
[[port]]
name = "in"
device = "wire:lab,end=b"
[[ring]]
name = "r"
size = 4096
[[module]]
name = "gen"
file = "gen.wat"
grants = { packets_per_second = "1M" }
[[module]]
name = "fn"
file = "fn.wat"
grants = { hold = 512 }
on_fault = "restart"
restart = { first = "50us", longest = "1ms", failures = 100 }
[[module]]
name = "to-ring"
file = "to-ring.wat"
grants = { rings = ["r"] }
[[module]]
name = "check"
file = "check.wat"
[[chain]]
name = "generate"
source = { module = "gen" }
tx = ["load"]
[[chain]]
name = "forward"
source = { port = "in" }
stages = ["fn", "to-ring"]
when_full = "wait"
[[chain]]
name = "check"
source = { ring = "r" }
stages = ["check"]
[sim]
cost = { batch = "100ns", packet = "10ns" }
"#;

/// One of each kind.
pub const EVENTS: &str = r#"
[[sim.event]]
at = "1ms..4ms"
swap = { module = "fn", file = "fn2.wat", grace = "200us" }
[[sim.event]]
at = "1ms..4ms"
link = { port = "in", down = "10us..300us" }
[[sim.event]]
at = "1ms..4ms"
loss = { port = "load", part = "30%", lasts = "10us..300us" }
[[sim.event]]
at = "1ms..4ms"
trap = { module = "fn" }
[[sim.event]]
trap = { module = "fn", batch = 1000 }
[[sim.event]]
at = "1ms..4ms"
slow = { chain = "forward", times = 10, lasts = "10us..300us" }
[[sim.event]]
at = "1ms..4ms"
pool = { chain = "generate", lasts = "10us..300us" }
[[sim.event]]
at = "1ms..4ms"
jump = { by = "10us..300us" }
[[sim.event]]
at = "4500us"
message = { module = "check", text = "" }
"#;

/// The modules that both name, as files in that folder.
pub fn lay_modules(folder: &Path) {
    let files = [
        ("gen.wat", generator(0)),
        ("fn.wat", counting(1)),
        ("fn2.wat", counting(2)),
        ("to-ring.wat", to_ring()),
        ("check.wat", strict_checker(0)),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
}
