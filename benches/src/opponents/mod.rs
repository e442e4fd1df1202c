//! Perigee beside others that do the same work: C and Rust, LuaJIT as MoonGen uses it, DPDK's testpmd, eBPF; and beside itself, with
//! other decisions than were taken. What is not installed says so and has no row.

mod bpf;
mod decisions;
mod ffi;
mod l3;
mod natives;
mod testpmd;

use crate::ffi::Work;
use crate::lab::{Lab, Setup};
use crate::works::generator_config;
use anyhow::Result;

pub(crate) use decisions::EPOCHS;

const BURST: u16 = 64;

/// Measures beside all of them.
pub(crate) fn measure(lab: &mut Lab, quick: bool) -> Result<()> {
    natives::measure(lab)?;
    bpf::measure(lab)?;
    l3::measure(lab, quick)?;
    decisions::measure(lab)?;
    testpmd::measure(lab, quick)
}

/// A work, and what is aimed at: so many times the twin in C and some cycles, so many times LuaJIT.
struct Case {
    name: &'static str,
    work: Work,
    beside_c: (f64, f64),
    beside_lua: f64,
}

const CASES: [Case; 5] = [
    Case { name: "template", work: Work::Template, beside_c: (1.05, 1.5), beside_lua: 1.0 },
    Case { name: "two-fields", work: Work::TwoFields, beside_c: (0.95, 0.0), beside_lua: 0.75 },
    Case { name: "two-fields+ip", work: Work::TwoFieldsSum, beside_c: (1.05, 1.5), beside_lua: 0.2 },
    Case { name: "eight-draws", work: Work::Eight, beside_c: (1.05, 1.5), beside_lua: 0.55 },
    Case { name: "mac-swap", work: Work::MacSwap, beside_c: (1.15, 0.0), beside_lua: 0.8 },
];

impl Case {
    /// The module that does it, on a net_null.
    fn setup(&self, lab: &mut Lab) -> Setup {
        let device = lab.new_device("net_null");
        let setup = Setup::new(lab, BURST, "1ms").port(&device);
        match self.work {
            Work::MacSwap => setup.module("reflector", "").receive(&device, &["reflector"]),
            Work::Eight => setup.module("eight-draws", "").generate("eight-draws", &[], &device),
            Work::TwoFieldsSum => {
                let config = "{ vary = \"two-fields\", checksum = \"software\" }";
                setup.module("udp-gen", config).generate("udp-gen", &[], &device)
            }
            _ => setup.module("udp-gen", generator_config(self.work)).generate("udp-gen", &[], &device),
        }
    }
}
