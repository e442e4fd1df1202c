//! Works on packets that lie far apart: its window has room for more of them than a processor's caches hold.
#![no_std]

use perigee_guest::serde::{self, Deserialize};
use perigee_guest::wire::{Ethernet, checksum};
use perigee_guest::{Batch, Module, Refusal, Setup};

perigee_guest::module!(Far: process; window = 512 * MIB, mailbox = 4 * KIB);

/// What is done with a packet, which goes back then.
#[derive(Clone, Copy, Deserialize)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub enum Work {
    /// Each byte is read: the sum of all but the last four is written there.
    Scan,
    /// MAC addresses change places.
    Swap,
}

/// What the module is told.
#[derive(Deserialize)]
#[serde(crate = "serde", deny_unknown_fields)]
pub struct Far {
    work: Work,
}

impl Module for Far {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        setup.json()
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        match self.work {
            Work::Scan => each(batch, |bytes| {
                if let Some((data, place)) = bytes.split_last_chunk_mut::<4>() {
                    *place = checksum::sum(data).to_be_bytes();
                }
            }),
            Work::Swap => each(batch, |bytes| {
                let _ = Ethernet::swap_addresses_of(bytes);
            }),
        }
    }
}

/// Inlined once per kind of work, so that each is a loop of its own.
#[inline(always)]
fn each(batch: &mut Batch<'_>, work: impl Fn(&mut [u8])) {
    for mut packet in batch {
        work(packet.bytes_mut());
        packet.tx_back();
    }
}
