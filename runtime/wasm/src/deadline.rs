//! How long a call may take: its own CPU time and nobody else's, without asking the system for the time at each call.
//!
//! The engine's epoch advances each millisecond, and an instance that is called with its epoch deadline passed asks here at
//! once. So the first call after a tick reads the thread's CPU time when it begins, and a call in which a tick comes reads it
//! then: at most one reading for each instance and tick. What a call used before its first reading counts for nobody; that is
//! less than the time between two ticks. From there on it counts for that call alone, whatever ran on the thread before.

use super::ticker::EPOCH;
use crate::trap::Overrun;
use perigee_core::clock::thread_cpu_time;
use std::time::Duration;

/// The time of an instance's calls.
#[derive(Debug)]
pub struct Deadline {
    /// This thread's CPU time when it was read last.
    seen: Duration,
    /// It was read in the call that is under way.
    counts: bool,
    /// What that call may use.
    allowed: Duration,
    /// What a call on the data path may use, and what any other may.
    data: Duration,
    control: Duration,
    fuel_per_us: u64,
}

/// Fuel for a microsecond, where nobody says another number: some instructions for each nanosecond, as a CPU of today makes.
pub const FUEL_PER_US: u64 = 1_000;

impl Deadline {
    /// So long for a call on the data path, so long for any other.
    pub fn new(data: Duration, control: Duration) -> Self {
        Self { seen: Duration::ZERO, counts: false, allowed: control, data, control, fuel_per_us: FUEL_PER_US }
    }

    /// So much fuel stands for a microsecond, where calls are measured by that.
    pub fn set_fuel_per_us(&mut self, fuel: u64) {
        self.fuel_per_us = fuel;
    }

    /// Fuel of a call on the data path, and of any other.
    pub fn fuel(&self) -> (u64, u64) {
        let of = |time: Duration| {
            let fuel = time.as_nanos().saturating_mul(self.fuel_per_us.into()) / 1_000;
            u64::try_from(fuel).unwrap_or(u64::MAX).max(1)
        };
        (of(self.data), of(self.control))
    }

    /// A call on the data path begins.
    #[inline]
    pub fn begin(&mut self) {
        self.counts = false;
    }

    /// Another call begins. There are few of them, so the time is read, and counts from here.
    pub fn begin_control(&mut self) {
        (self.seen, self.counts, self.allowed) = (thread_cpu_time(), true, self.control);
    }

    /// It has ended: the next one is on the data path.
    pub fn end_control(&mut self) {
        self.allowed = self.data;
    }

    /// A tick has come since the time was read last: in this call, or before it began.
    pub fn on_tick(&mut self) -> Result<(), Overrun> {
        let now = thread_cpu_time();
        if self.counts {
            return self.check(now.saturating_sub(self.seen));
        }
        (self.seen, self.counts) = (now, true);
        Ok(())
    }

    /// A call came back by itself after as many ticks as it may use milliseconds. In one long bulk operation nobody looks at the
    /// epoch, so it may be that nobody looked at all; then the last reading is at most a tick older than the call.
    pub fn at_end(&self) -> Result<(), Overrun> {
        let before = if self.counts { Duration::ZERO } else { EPOCH };
        self.check(thread_cpu_time().saturating_sub(self.seen).saturating_sub(before))
    }

    /// Ticks within which no call on the data path can have been late.
    pub fn patience(&self) -> u64 {
        u64::try_from(self.data.as_nanos() / EPOCH.as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    fn check(&self, used: Duration) -> Result<(), Overrun> {
        let allowed = self.allowed;
        if used < allowed { Ok(()) } else { Err(Overrun { used, allowed }) }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    /// Uses so much of this thread's CPU time.
    fn use_up(time: Duration) {
        let end = thread_cpu_time() + time;
        while thread_cpu_time() < end {}
    }

    #[test]
    fn what_ran_before_a_call_does_not_count() {
        let ms = Duration::from_millis;
        let mut deadline = Deadline::new(ms(4), ms(100));
        deadline.end_control();
        for _ in 0..3 {
            deadline.begin();
            deadline.on_tick().expect("the first look begins to count");
            use_up(ms(1));
            deadline.on_tick().expect("1 ms of 4");
            // Somebody else's call, on the same thread.
            use_up(ms(6));
        }
        deadline.begin();
        deadline.on_tick().expect("whatever came before");
        use_up(ms(5));
        assert!(deadline.on_tick().is_err());
        assert!(deadline.at_end().is_err());
    }

    #[test]
    fn a_control_call_has_its_own_time() {
        let ms = Duration::from_millis;
        let mut deadline = Deadline::new(ms(1), ms(8));
        deadline.begin_control();
        use_up(ms(3));
        deadline.at_end().expect("3 ms of 8");
        use_up(ms(6));
        assert!(deadline.at_end().is_err());
        deadline.end_control();
        deadline.begin();
        deadline.on_tick().expect("a new call");
        use_up(ms(2));
        assert!(deadline.on_tick().is_err());
    }
}
