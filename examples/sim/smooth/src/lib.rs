// ANCHOR: smooth
//! Takes the edge off bursts: at most 32 packets go on at once, the others wait for the next call. It has a fault, which shows
//! only where a burst was longer than that: see whether you find it before the simulation does.
#![cfg_attr(not(test), no_std)]

use perigee_guest::{Batch, Held, Module, Refusal, Setup, Verdict};

perigee_guest::module!(Smooth: process, tick);

/// Packets that go on at once.
const MOST: usize = 32;

/// The stage.
pub struct Smooth {
    waiting: [Option<Held>; 256],
}

impl Module for Smooth {
    fn init(_setup: &Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self { waiting: [const { None }; 256] })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let mut later = [const { None }; 256];
        for (i, packet) in batch.packets().enumerate() {
            match later.get_mut(i).filter(|_| i >= MOST) {
                None => packet.next(),
                Some(place) => *place = Some(packet.hold()),
            }
        }
        // What has waited goes on now.
        self.let_go(batch);
        self.waiting = later;
    }

    /// Nothing waits for long, even where no packets come.
    fn tick(&mut self, batch: &mut Batch<'_>) {
        self.let_go(batch);
    }
}

impl Smooth {
    fn let_go(&mut self, batch: &mut Batch<'_>) {
        let mut outputs = batch.outputs();
        for held in self.waiting.iter_mut().filter_map(Option::take) {
            // The list has a place for each packet that a batch can have.
            let _ = outputs.give_back(held, Verdict::NEXT);
        }
    }
}
// ANCHOR_END: smooth

#[cfg(test)]
mod tests;
