//! What an entry of an output list says, read in one way by a run and a trial.

use perigee_abi::{PacketDesc, source, verdict};

/// The packet that an entry names. A slot is that of its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// One of the batch, by its position: moved the first time where its own verdict is Listed, else copied.
    Input {
        /// Its position.
        index: usize,
        /// The slot that it must have.
        slot: u32,
    },
    /// A spare room, which becomes a packet.
    Spare {
        /// Its position.
        index: usize,
        /// The slot that it must have.
        slot: u32,
    },
    /// One that the module holds.
    Held {
        /// Its slot.
        slot: u32,
        /// Which use of the room it is.
        generation: u32,
    },
}

impl Named {
    /// Reads an entry; `None` where it names nothing. `generation` is that of the batch.
    pub fn of(desc: &PacketDesc, generation: u32) -> Option<Self> {
        // An entry that leads to the list again leads nowhere.
        if desc.verdict == verdict::LISTED {
            return None;
        }
        let (index, slot) = ((desc.source & 0xffff) as usize, desc.slot);
        match desc.source & !0xffff {
            source::INPUT if desc.generation == generation => Some(Self::Input { index, slot }),
            source::SPARE => Some(Self::Spare { index, slot }),
            source::HELD if desc.source == source::HELD => Some(Self::Held { slot, generation: desc.generation }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn an_entry_names_one_packet_or_none() {
        let entry = |source, verdict| PacketDesc { source, verdict, slot: 9, generation: 7, ..PacketDesc::default() };
        let named = |source| Named::of(&entry(source, verdict::NEXT), 7);
        assert_eq!(named(source::INPUT | 3), Some(Named::Input { index: 3, slot: 9 }));
        assert_eq!(named(source::SPARE | 2), Some(Named::Spare { index: 2, slot: 9 }));
        assert_eq!(named(source::HELD), Some(Named::Held { slot: 9, generation: 7 }));
        assert_eq!(named(source::HELD | 1), None);
        assert_eq!(named(0xffff_0000), None);
        assert_eq!(Named::of(&entry(source::INPUT, verdict::NEXT), 8), None, "of an earlier batch");
        assert_eq!(Named::of(&entry(source::HELD, verdict::LISTED), 7), None, "it names the list");
    }
}
