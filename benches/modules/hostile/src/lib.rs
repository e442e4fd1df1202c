//! Abuses of the host that safe Rust can commit with the SDK. The configuration is the name of one; what must become of each
//! is in `benches/soak/hostile/languages.toml`.
#![cfg_attr(not(test), no_std)]

use core::hint::black_box;
use perigee_guest::{Batch, Level, Module, Refusal, Setup, Verdict};

perigee_guest::module!(Hostile: process, tick, message; mailbox = 4 * KIB, spares = 4);

/// What an instance does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Abuse {
    Index,
    Unwrap,
    Slice,
    Divide,
    Loop,
    Recursion,
    PanicWithEscapes,
    PanicInTick,
    PanicInMessage,
    Hoard,
    WrongPort,
    WrongRing,
    LogFlood,
    ListFlood,
    SendAllSpares,
}

const NAMES: [(&str, Abuse); 15] = [
    ("index", Abuse::Index),
    ("unwrap", Abuse::Unwrap),
    ("slice", Abuse::Slice),
    ("divide", Abuse::Divide),
    ("loop", Abuse::Loop),
    ("recursion", Abuse::Recursion),
    ("panic-with-escapes", Abuse::PanicWithEscapes),
    ("panic-in-tick", Abuse::PanicInTick),
    ("panic-in-message", Abuse::PanicInMessage),
    ("hoard", Abuse::Hoard),
    ("wrong-port", Abuse::WrongPort),
    ("wrong-ring", Abuse::WrongRing),
    ("log-flood", Abuse::LogFlood),
    ("list-flood", Abuse::ListFlood),
    ("send-all-spares", Abuse::SendAllSpares),
];

/// A module that does one thing that it should not.
pub struct Hostile {
    abuse: Abuse,
}

impl Module for Hostile {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        assert_ne!(setup.config(), b"panic-in-init", "asked for");
        let found = NAMES.iter().find(|(name, _)| name.as_bytes() == setup.config());
        found.map(|(_, abuse)| Self { abuse: *abuse }).ok_or_else(|| Refusal::new("\x1b[2Jno such abuse\x07"))
    }

    #[allow(clippy::expect_used, clippy::indexing_slicing, reason = "that is what is tried")]
    fn process(&mut self, batch: &mut Batch<'_>) {
        let beyond = black_box(100_000);
        match self.abuse {
            Abuse::Index => black_box([0_u8; 16])[beyond] = 1,
            Abuse::Unwrap => drop(black_box(None::<u8>).expect("a byte that is not there")),
            Abuse::Slice => batch.packets().for_each(|mut packet| packet.bytes_mut()[..beyond].fill(0)),
            Abuse::Divide => drop(black_box(1 / black_box(beyond - 100_000))),
            Abuse::Loop => loop {
                black_box(());
            },
            Abuse::Recursion => drop(black_box(deeper(1))),
            Abuse::PanicWithEscapes => panic!("\x1b[2Jcleared\x1b]0;gone\x07"),
            Abuse::LogFlood => (0..1_000).for_each(|_| Level::Warn.log("once more")),
            _ => return self.mislead(batch),
        }
        batch.packets().for_each(|packet| packet.next());
    }

    fn tick(&mut self, _batch: &mut Batch<'_>) {
        assert!(self.abuse != Abuse::PanicInTick, "asked for");
    }

    fn message(&mut self, _message: &[u8], _reply: &mut perigee_guest::Buffer<'_>) -> Result<(), Refusal> {
        assert!(self.abuse != Abuse::PanicInMessage, "asked for");
        Ok(())
    }
}

impl Hostile {
    /// Verdicts and lists that the host must not follow.
    fn mislead(&self, batch: &mut Batch<'_>) {
        match self.abuse {
            Abuse::Hoard => batch.packets().for_each(|packet| drop(packet.hold())),
            Abuse::WrongPort => batch.packets().for_each(|packet| packet.tx(1)),
            Abuse::WrongRing => batch.packets().for_each(|packet| packet.ring(9)),
            Abuse::ListFlood => {
                let (packets, mut outputs) = batch.split();
                let Some(packet) = packets.into_iter().next() else { return };
                let listed = packet.list();
                while outputs.put(&listed, Verdict::NEXT) {}
            }
            Abuse::SendAllSpares => {
                let mut outputs = batch.outputs();
                while let Some(mut spare) = outputs.spare() {
                    let _ = spare.bytes_mut(60).map(|bytes| bytes.fill(1));
                    outputs.send(spare, Verdict::tx(u16::MAX));
                }
            }
            _ => batch.packets().for_each(|packet| packet.next()),
        }
    }
}

/// Needs its own frame in each call.
#[allow(unconditional_recursion, reason = "that is what is tried")]
fn deeper(depth: u64) -> u64 {
    let here = black_box([depth; 8]);
    deeper(here[7].wrapping_add(1)).wrapping_add(here[0])
}
