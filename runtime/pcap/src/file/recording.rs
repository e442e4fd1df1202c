//! Files that were read from end to end, ready to be played: from memory, where what a packet is sent from is a piece of one array, or
//! from the files themselves.

use super::files::{Files, Wanted};
use super::frames::{Facts, Frames, refusal};
use crate::capture::Refusal;
use std::sync::Arc;

/// Bytes of memory for a packet beside its own: where it lies and when it is due, here and in the queue that it is played from.
pub const PER_PACKET: u64 = 48;

/// A packet: when it comes, and where its bytes end. They begin where those of the one before it end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Nanoseconds after the first one; never less than that of the one before.
    pub at: u64,
    /// Where its bytes end.
    pub end: usize,
}

impl Facts {
    /// Bytes of memory that all of it takes.
    pub fn memory(&self) -> u64 {
        self.bytes.saturating_add(self.packets.saturating_mul(PER_PACKET))
    }
}

/// Files that were read from end to end.
#[derive(Debug)]
pub struct Recording {
    bytes: Vec<u8>,
    packets: Vec<Packet>,
    facts: Facts,
    /// Where nothing of them is in memory.
    files: Option<Arc<Files>>,
}

impl Recording {
    /// Reads files to their ends, and keeps them where that is wanted.
    ///
    /// # Errors
    /// A file cannot be read, or is not what is wanted; or they take more memory than they may.
    pub fn read(paths: &[&str], wanted: &Wanted) -> Result<Self, Refusal> {
        let files = Files::open(paths, wanted)?;
        let (mut bytes, mut packets, mut frames) = (Vec::new(), Vec::new(), Frames::new(&files));
        let most = wanted.memory.unwrap_or(0);
        // What it does not get now it asks for later.
        let _ = bytes.try_reserve_exact(usize::try_from(files.len().min(most)).unwrap_or(0));
        let (mut kept, mut is_kept) = (0_u64, wanted.memory.is_some());
        while let Some(frame) = frames.next_frame(&mut bytes)? {
            kept = kept.saturating_add(PER_PACKET);
            is_kept &= kept.saturating_add(bytes.len() as u64) <= most;
            if is_kept {
                packets.push(Packet { at: frame.at, end: bytes.len() });
            } else {
                // What all of it would take is counted to the end, without taking it.
                if !packets.is_empty() {
                    (bytes, packets) = (Vec::new(), Vec::new());
                }
                bytes.clear();
            }
        }
        frames.refuse_snapped()?;
        let facts = frames.into_facts();
        if let Some(memory) = wanted.memory.filter(|memory| facts.memory() > *memory) {
            return Err(too_much(paths, &facts, memory));
        }
        let files = wanted.memory.is_none().then_some(files);
        Ok(Self { bytes, packets, facts, files })
    }

    /// The packets that are in memory, in their order.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// The bytes of packet `number`, where they are in memory.
    pub fn bytes_of(&self, number: usize) -> &[u8] {
        let begin = number.checked_sub(1).and_then(|before| self.packets.get(before)).map_or(0, |before| before.end);
        let end = self.packets.get(number).map_or(begin, |packet| packet.end);
        self.bytes.get(begin..end).unwrap_or_default()
    }

    /// The bytes of all packets that are in memory, one behind the other.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What was found.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The files that are read while they are played; `None` where all is in memory.
    pub fn files(&self) -> Option<&Arc<Files>> {
        self.files.as_ref()
    }
}

fn too_much(paths: &[&str], facts: &Facts, memory: u64) -> Refusal {
    const MIB: u64 = 1 << 20;
    let needed = facts.memory().div_ceil(MIB);
    let what = format!(
        "needs {needed} MiB of memory ({} packets, {} bytes), and may take {} MiB",
        facts.packets,
        facts.bytes,
        memory / MIB
    );
    let help = format!(
        "`memory={needed}M` lets it, `preload=no` reads it from the disk while it is played, or take fewer packets: \
         `editcap -r IN OUT 1-1000`"
    );
    refusal(&paths.join(", "), &what, &help)
}
