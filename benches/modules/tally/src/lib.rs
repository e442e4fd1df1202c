//! Counts packets by their length in a flat state region, and passes them on. `tally.c` is the same in C: one takes over from
//! the other, for their states have one layout.
#![no_std]

use perigee_guest::{Batch, Buffer, Module, Refusal, Region, Setup};

perigee_guest::module!(Tally: process, message, state; region = 4 * MIB, mailbox = 4 * KIB, window = 64 * MIB);

/// Bytes of a count.
const WORD: usize = 8;

/// Its region is an array of 64-bit counts, one for each length.
pub struct Tally {
    region: Region,
    /// How often it has taken over from another one: this goes through the mailbox.
    takeovers: u64,
    /// `then = "refuse"`: it takes over from none that has taken over itself, as the canary has not.
    refuses: bool,
    /// `then = "trap"`: so many packets until it does.
    fuse: Option<u64>,
}

/// More than a canary gets.
const FUSE: u64 = 100_000;

impl Tally {
    fn count(&mut self, len: u16) -> &mut [u8] {
        &mut self.region.bytes()[usize::from(len) * WORD..][..WORD]
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

impl Module for Tally {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let region = setup.region().ok_or(Refusal::new("the host gave no state region"))?;
        let told = |text: &[u8]| setup.config() == text;
        let fuse = told(br#"{"then":"trap"}"#).then_some(FUSE);
        Ok(Self { region, takeovers: 0, refuses: told(br#"{"then":"refuse"}"#), fuse })
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        for packet in batch.packets() {
            let count = self.count(packet.len());
            let more = number(count) + 1;
            count.copy_from_slice(&more.to_le_bytes());
            packet.next();
            self.fuse = self.fuse.map(|left| left.checked_sub(1).expect("the fuse has burnt"));
        }
    }

    /// A length as text: how many packets of it came, and how often the state went from one instance to the next.
    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        let text = core::str::from_utf8(request).map_err(|_| Refusal::new("a length is digits"))?;
        let len: u16 = text.parse().map_err(|_| Refusal::new("a length is a number up to 65535"))?;
        reply.push(self.count(len))?;
        Ok(reply.push(&self.takeovers.to_le_bytes())?)
    }

    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        Ok(state.push(&self.takeovers.to_le_bytes())?)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        if self.refuses && number(state) > 0 {
            return Err(Refusal::new("it was told to refuse"));
        }
        self.takeovers = number(state) + 1;
        Ok(())
    }
}
