//! Times that packets carry: where they stand, and by which clock they count.

use perigee_core::unix::UnixOrigin;
use perigee_dpdk_sys as sys;
use std::ffi::c_char;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The run's beginning on the run's own clock.
static ZERO: AtomicU64 = AtomicU64::new(0);

/// What a port's rx timestamps count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The run's beginning.
    Run,
    /// 1970, by the kernel's CLOCK_REALTIME.
    Unix,
    /// Nobody can say: a card's own clock, or the records of a file.
    Unknown,
}

/// Where a port leaves its rx timestamps.
#[derive(Clone, Copy, Debug)]
pub struct RxTimestamp {
    /// The flag of packets that have one, in `ol_flags`.
    pub flag: u64,
    /// Where it stands in the mbuf.
    pub offset: usize,
    /// Nanoseconds in one unit.
    pub unit_ns: u64,
    /// What it counts from.
    pub origin: Origin,
    /// The run's beginning on that clock, in nanoseconds ([`Self::of_run`]): it moves where that clock is set.
    pub start_ns: &'static AtomicU64,
}

impl RxTimestamp {
    /// In DPDK's dynamic field, which is one for all ports of the process; `None` where DPDK has no place for it.
    pub fn of_dynamic_field(unit_ns: u64, origin: Origin) -> Option<Self> {
        static FIELD: OnceLock<Option<(usize, u64)>> = OnceLock::new();
        let (offset, flag) = (*FIELD.get_or_init(|| {
            field(|offset, flag| {
                // SAFETY:
                // - EAL is started, and both places are valid.
                unsafe { sys::rte_mbuf_dyn_rx_timestamp_register(offset, flag) }
            })
        }))?;
        Some(Self { flag, offset, unit_ns, origin, start_ns: &ZERO })
    }

    /// As it is read in a run with this beginning; `None` where what it says cannot be told by the run's clock.
    #[must_use]
    pub fn of_run(self, began: &UnixOrigin) -> Option<Self> {
        match self.origin {
            Origin::Run => Some(self),
            Origin::Unix => Some(Self { start_ns: began.place(), ..self }),
            Origin::Unknown => None,
        }
    }

    /// Who took the times, for people.
    #[must_use]
    pub fn taken_by(&self) -> &'static str {
        match (self.origin, self.unit_ns) {
            (Origin::Run, _) => "the wire",
            (Origin::Unix, 1) => "port's rx timestamp (kernel)",
            (Origin::Unix, _) => "port's rx timestamp (kernel, in whole us)",
            (Origin::Unknown, _) => "port's rx timestamp",
        }
    }

    /// Nanoseconds of the run's clock for what stands in a packet; `None` for a time before the run.
    #[inline]
    pub fn run_ns(&self, raw: u64) -> Option<u64> {
        raw.wrapping_mul(self.unit_ns).checked_sub(self.start_ns.load(Ordering::Relaxed))
    }
}

/// What a packet carries from a module's request to its departure: a time in DPDK's dynamic field, and what it means.
#[derive(Clone, Copy, Debug)]
pub struct TxMarks {
    /// The field holds the time of departure (DPDK's own flag for it).
    pub time: u64,
    /// The field holds the gap to the packet before.
    pub gap: u64,
    /// The time of the real departure is to be written into the packet.
    pub stamp: u64,
    /// It is no packet of anybody's but fills the line: whoever receives it drops it.
    pub filler: u64,
    /// Where the field is.
    pub offset: usize,
}

impl TxMarks {
    /// `None` where DPDK has no place for them.
    pub fn get() -> Option<Self> {
        static MARKS: OnceLock<Option<TxMarks>> = OnceLock::new();
        *MARKS.get_or_init(|| {
            let (offset, time) = field(|offset, flag| {
                // SAFETY:
                // - EAL is started, and both places are valid.
                unsafe { sys::rte_mbuf_dyn_tx_timestamp_register(offset, flag) }
            })?;
            let [gap, stamp, filler] = ["perigee_gap", "perigee_stamp", "perigee_filler"].map(flag);
            Some(Self { time, gap: gap?, stamp: stamp?, filler: filler?, offset })
        })
    }

    /// The flags that a module may ask for.
    #[inline]
    pub fn all(&self) -> u64 {
        self.time | self.gap | self.stamp
    }
}

fn field(register: impl Fn(*mut i32, *mut u64) -> i32) -> Option<(usize, u64)> {
    let (mut offset, mut flag) = (0, 0);
    let code = register(&raw mut offset, &raw mut flag);
    (code == 0).then_some((usize::try_from(offset).ok()?, flag))
}

/// A flag of our own in mbufs.
fn flag(name: &str) -> Option<u64> {
    let mut wanted = sys::rte_mbuf_dynflag { name: [0; 64], flags: 0 };
    for (place, byte) in wanted.name.iter_mut().zip(name.bytes()) {
        *place = byte as c_char;
    }
    // SAFETY:
    // - EAL is started; the description is valid, and its name ends with a zero.
    let bit = unsafe { sys::rte_mbuf_dynflag_register(&raw const wanted) };
    u32::try_from(bit).ok().and_then(|bit| 1_u64.checked_shl(bit))
}
