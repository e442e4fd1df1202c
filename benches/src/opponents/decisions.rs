//! Decisions of the design, each with the price of the other way: the same MAC swap in WebAssembly, compiled and called as it would be
//! then. No ports: only what the module's call takes.

use super::BURST;
use crate::lab::{Lab, apart};
use crate::quiet::{self, Figures, SLICE, Samples, Side};
use crate::report::{self, Measurement};
use anyhow::{Context, Result, ensure};
use wasmtime::{Config, Engine, Instance, Linker, Memory, Module, Store, TypedFunc};

/// From one packet to the next, as in a pool.
const STRIDE: usize = 2_240;
const LEN: usize = 64;

/// What is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    /// Nothing: one call for a burst in place, memory with guard pages, no count of instructions.
    Nothing,
    /// Accesses are compared with the memory's end, for no pages behind it would fault.
    Bounds,
    /// Instructions are counted.
    Fuel,
    /// Loops ask whether their time is over: what Perigee does.
    Epochs,
    /// The module asks the host for each packet.
    Hostcall,
    /// The host calls the module for each packet.
    Calls,
    /// Packets are copied in and out.
    Copies,
}

const OTHERS: [(Work, Other, &str); 9] = [
    (Work::MacSwap, Other::Nothing, "in place, guards"),
    (Work::MacSwap, Other::Epochs, EPOCHS),
    (Work::MacSwap, Other::Bounds, "+ explicit bounds"),
    (Work::MacSwap, Other::Fuel, "+ fuel"),
    (Work::MacSwap, Other::Hostcall, "+ hostcall a packet"),
    (Work::MacSwap, Other::Calls, "+ call a packet"),
    (Work::MacSwap, Other::Copies, "+ copies in and out"),
    (Work::Fields, Other::Nothing, "in place, guards"),
    (Work::Fields, Other::Epochs, EPOCHS),
];
/// Of two random fields, what looks at the epoch cost is a part of what safety does.
pub(crate) const EPOCHS: &str = "+ epochs (taken)";

/// What a packet gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    MacSwap,
    /// Two random fields.
    Fields,
}

/// Packets in a turn of the loop that writes fields: what the compiler makes of udp-gen's.
const UNROLLED: usize = 4;

/// Swaps the first six bytes of so many packets with the next six; `asking` asks the host about each one. `fields` writes a random address
/// and a random port into each.
const TEXT: &str = r#"(module
  (import "host" "ask" (func $ask (param i32)))
  (memory (export "memory") 16)
  (func $swap (export "packet") (param $at i32) (local $a i32) (local $b i32)
    (local.set $a (i32.load (local.get $at)))
    (local.set $b (i32.load16_u offset=4 (local.get $at)))
    (i32.store (local.get $at) (i32.load offset=6 (local.get $at)))
    (i32.store16 offset=4 (local.get $at) (i32.load16_u offset=10 (local.get $at)))
    (i32.store offset=6 (local.get $at) (local.get $a))
    (i32.store16 offset=10 (local.get $at) (local.get $b)))
  (func (export "burst") (param $n i32) (local $at i32) (local $a i32) (local $b i32)
    (loop $next
      (local.set $a (i32.load (local.get $at)))
      (local.set $b (i32.load16_u offset=4 (local.get $at)))
      (i32.store (local.get $at) (i32.load offset=6 (local.get $at)))
      (i32.store16 offset=4 (local.get $at) (i32.load16_u offset=10 (local.get $at)))
      (i32.store offset=6 (local.get $at) (local.get $a))
      (i32.store16 offset=10 (local.get $at) (local.get $b))
      (local.set $at (i32.add (local.get $at) (i32.const 2240)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "asking") (param $n i32) (local $at i32)
    (loop $next
      (call $ask (local.get $at))
      (call $swap (local.get $at))
      (local.set $at (i32.add (local.get $at) (i32.const 2240)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (global $random (mut i64) (i64.const 7))
  (func (export "fields") (param $n i32) (local $at i32) (local $r i64)
    (local.set $r (global.get $random))
    (loop $next
      PACKETS
      (local.set $n (i32.sub (local.get $n) (i32.const UNROLLED)))
      (br_if $next (local.get $n)))
    (global.set $random (local.get $r))))"#;

/// One packet of `fields`.
const PACKET: &str = "
      (local.set $r (i64.add (i64.mul (local.get $r) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
      (i32.store offset=26 (local.get $at)
        (i32.or (i32.and (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 32))) (i32.const 0xff000000)) (i32.const 10)))
      (i32.store16 offset=34 (local.get $at)
        (i32.or (i32.and (i32.wrap_i64 (i64.shr_u (local.get $r) (i64.const 16))) (i32.const 0xff7f)) (i32.const 0x80)))
      (local.set $at (i32.add (local.get $at) (i32.const 2240)))";

fn text() -> String {
    TEXT.replace("PACKETS", &PACKET.repeat(UNROLLED)).replace("UNROLLED", &UNROLLED.to_string())
}

pub(super) fn measure(lab: &mut Lab) -> Result<()> {
    println!(
        "{}",
        report::head("Prices of decisions: the call of a MAC swap in WebAssembly, the other way beside the first line")
    );
    let mut starts = Vec::new();
    for _ in 0..lab.plan.starts {
        starts.push(apart(|| one(lab))?);
    }
    let figures = quiet::figures(starts);
    let row = |work, variant, figures: Figures| Measurement::new((work, "memory", BURST, variant), figures);
    let mut plain = figures[0];
    for ((work, other, variant), figure) in OTHERS.iter().zip(&figures) {
        if *other == Other::Nothing {
            plain = *figure;
        }
        let work = if *work == Work::MacSwap { "mac-swap" } else { "two-fields" };
        lab.add(row(work, variant, *figure).beside(plain).twin_in("wasm"));
    }
    Ok(())
}

fn one(lab: &Lab) -> Result<Vec<Samples>> {
    let mut calls = OTHERS.iter().map(|(work, other, _)| Call::new(*work, *other)).collect::<Result<Vec<_>>>()?;
    for call in &mut calls {
        call.verify()?;
    }
    let numbers = 0..calls.len();
    let mut sides: Vec<Side<'_, Vec<Call>>> = Vec::new();
    for number in numbers {
        sides.push(Box::new(move |calls| {
            let bursts = SLICE / u32::from(BURST);
            // A trap would be seen by `verify`; a slice without packets is an error.
            if (0..bursts).all(|_| calls[number].burst().is_ok()) { SLICE.into() } else { 0 }
        }));
    }
    quiet::interleave(&mut calls, &mut sides, lab.floor, lab.plan)
}

/// An instance, and where packets lie outside of it.
struct Call {
    work: Work,
    other: Other,
    store: Store<()>,
    memory: Memory,
    burst: TypedFunc<i32, ()>,
    packet: TypedFunc<i32, ()>,
    outside: Vec<u8>,
}

impl Call {
    fn new(work: Work, other: Other) -> Result<Self> {
        let mut config = Config::new();
        config.consume_fuel(other == Other::Fuel).epoch_interruption(other == Other::Epochs);
        if other == Other::Bounds {
            config.memory_reservation(0).memory_guard_size(0).memory_reservation_for_growth(0);
        }
        let engine = Engine::new(&config).map_err(wasm)?;
        let module = Module::new(&engine, wat::parse_str(text())?).map_err(wasm)?;
        let mut store = Store::new(&engine, ());
        match other {
            Other::Fuel => store.set_fuel(u64::MAX).map_err(wasm)?,
            Other::Epochs => store.set_epoch_deadline(u64::MAX / 2),
            _ => {}
        }
        let mut linker = Linker::new(&engine);
        linker
            .func_wrap("host", "ask", |at: i32| {
                std::hint::black_box(at);
            })
            .map_err(wasm)?;
        let instance = linker.instantiate(&mut store, &module).map_err(wasm)?;
        let name = match (work, other) {
            (Work::Fields, _) => "fields",
            (_, Other::Hostcall) => "asking",
            _ => "burst",
        };
        let function = |store: &mut Store<()>, instance: &Instance, name: &str| {
            instance.get_typed_func::<i32, ()>(store, name).map_err(wasm)
        };
        let (burst, packet) = (function(&mut store, &instance, name)?, function(&mut store, &instance, "packet")?);
        let memory = instance.get_memory(&mut store, "memory").context("the module has no memory")?;
        let outside = (0..usize::from(BURST) * STRIDE).map(|at| at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect();
        Ok(Self { work, other, store, memory, burst, packet, outside })
    }

    fn burst(&mut self) -> Result<()> {
        match self.other {
            Other::Calls => {
                for at in (0..).step_by(STRIDE).take(BURST.into()) {
                    self.packet.call(&mut self.store, at).map_err(wasm)?;
                }
                Ok(())
            }
            Other::Copies => {
                let inside = self.memory.data_mut(&mut self.store);
                copy(&self.outside, inside);
                self.burst.call(&mut self.store, BURST.into()).map_err(wasm)?;
                copy(self.memory.data(&self.store), &mut self.outside);
                Ok(())
            }
            _ => self.burst.call(&mut self.store, BURST.into()).map_err(wasm),
        }
    }

    /// A burst swaps each packet, or writes its fields and nothing else.
    fn verify(&mut self) -> Result<()> {
        let len = self.outside.len();
        self.memory.data_mut(&mut self.store)[..len].copy_from_slice(&self.outside);
        let before = self.outside.clone();
        self.burst()?;
        let after = &self.memory.data(&self.store)[..len];
        let is_swapped = |(before, after): (&[u8], &[u8])| {
            before[..6] == after[6..12] && before[6..12] == after[..6] && before[12..] == after[12..]
        };
        let has_fields = |(before, after): (&[u8], &[u8])| {
            let same = [0..26, 30..34, 36..STRIDE].into_iter().all(|part| before[part.clone()] == after[part]);
            same && after[26..29] == [10, 0, 0] && after[34] >= 0x80
        };
        let mut packets = before.chunks(STRIDE).zip(after.chunks(STRIDE));
        let is_done = match self.work {
            Work::MacSwap => packets.all(is_swapped),
            Work::Fields => packets.all(has_fields),
        };
        ensure!(is_done, "{:?}: the module does not do its work", self.other);
        Ok(())
    }
}

/// Packets of a burst, as long as they are.
fn copy(from: &[u8], to: &mut [u8]) {
    for (from, to) in from.chunks(STRIDE).zip(to.chunks_mut(STRIDE)).take(BURST.into()) {
        to[..LEN].copy_from_slice(&from[..LEN]);
    }
}

/// The engine's errors are of a type of their own.
fn wasm(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}
