//! Passes packets on: to the next stage or port of the chain, or by a table from port to port. It can rewrite MAC
//! addresses on the way.
#![cfg_attr(not(test), no_std)]

mod config;
mod direction;
#[cfg(test)]
mod tests;

use config::Config;
use direction::{DIRECTION_MAX, Direction};
use perigee_guest::abi::MAX_PORTS;
use perigee_guest::{Batch, Counter, Module, Refusal, Setup, Text, Verdict};

perigee_guest::module!(L2Forward: process; mailbox = 4 * KIB);

/// Packets dropped because they are too short to have their MAC addresses rewritten.
const SHORT: Counter = Counter::at(0);

/// The directions that packets take: the first one is that of ports which the table does not name.
pub struct L2Forward {
    directions: [Direction; DIRECTION_MAX],
    /// Which direction a port's packets take.
    of_port: [u8; MAX_PORTS],
    /// All packets take the first direction, untouched.
    plain: bool,
}

impl Module for L2Forward {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        let mut module = Self {
            directions: [Direction::new(0, Verdict::NEXT); DIRECTION_MAX],
            of_port: [0; MAX_PORTS],
            plain: false,
        };
        setup.counter(SHORT, "short");
        module.directions[0] = config.default_direction(setup);
        module.directions[0].name(setup, "next");
        for (entry, index) in config.table.iter().zip(1_u8..) {
            let from = config::port(setup, entry.from)?;
            let to = config::port(setup, entry.to)?;
            if module.of_port[from] != 0 {
                return Err(Refusal::new("table: two entries with the same \"from\""));
            }
            module.of_port[from] = index;
            let mut direction = Direction::new(index, Verdict::tx(entry.to));
            direction.source = entry.src_mac.or(config.src_mac).and_then(|mac| mac.resolve(setup, Some(to)));
            direction.destination = entry.dst_mac.or(config.dst_mac);
            let mut name = Text::<16>::new();
            name.push_number(from as u64).push("-").push_number(to as u64);
            direction.name(setup, name.as_str());
            module.directions[usize::from(index)] = direction;
        }
        module.plain = module.of_port == [0; MAX_PORTS] && !module.directions[0].rewrites();
        Ok(module)
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        if self.plain {
            return pass(self.directions[0], batch);
        }
        for mut packet in batch {
            let index = self.of_port.get(usize::from(packet.port())).copied().unwrap_or(0);
            let Some(direction) = self.directions.get(usize::from(index)) else { continue };
            let len = packet.len();
            if direction.rewrites() {
                let Some(head) = packet.head_mut::<12>() else {
                    SHORT.add(1);
                    continue;
                };
                direction.rewrite(head);
            }
            direction.count(1, len.into());
            packet.finish(direction.verdict);
        }
    }
}

/// All packets in one direction, untouched: not a byte of them is looked at.
fn pass(direction: Direction, batch: &mut Batch<'_>) {
    let (count, mut bytes) = (batch.len() as u64, 0);
    for packet in batch {
        bytes += u64::from(packet.len());
        packet.finish(direction.verdict);
    }
    direction.count(count, bytes);
}
