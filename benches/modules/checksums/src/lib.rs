//! Puts a checksum of each packet's bytes into its last four bytes: what the benchmark measures, and what its tests compare
//! with native checksums.
#![no_std]

use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::checksum;
use perigee_guest::{Batch, Module, Refusal, Setup};

perigee_guest::module!(Checksums: process; mailbox = 4 * KIB);

/// Which checksum.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub enum Work {
    /// The Internet checksum's sum.
    Sum,
    /// The CRC32c.
    Crc32c,
}

/// What the module is told.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub struct Checksums {
    work: Work,
    /// Bytes at the start that do not count: so that data begins at other addresses than packets do.
    skip: u8,
}

impl Module for Checksums {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        setup.json()
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let skip = usize::from(self.skip);
        match self.work {
            Work::Sum => each(batch, skip, checksum::sum),
            Work::Crc32c => each(batch, skip, checksum::crc32c),
        }
    }
}

/// Inlined once per kind of work, so that each is a loop of its own.
#[inline(always)]
fn each(batch: &mut Batch<'_>, skip: usize, checksum: impl Fn(&[u8]) -> u32) {
    for mut packet in batch {
        if let Some((data, place)) = packet.bytes_mut().split_last_chunk_mut::<4>()
            && let Some(data) = data.get(skip..)
        {
            *place = checksum(data).to_be_bytes();
        }
        packet.tx_back();
    }
}
