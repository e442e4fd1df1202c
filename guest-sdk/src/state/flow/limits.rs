//! How many flows, for how long.

/// What to do with a new flow where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The flow that has not been used for longest goes.
    Evict,
    /// The new flow is not made.
    Refuse,
}

/// How many flows a table has, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct FlowLimits {
    capacity: u32,
    seed: u64,
    idle: u64,
    lifetime: u64,
    resolution: Option<u64>,
    when_full: WhenFull,
}

impl FlowLimits {
    /// At most `capacity` flows (2^30 where it is more) that live for ever; the one that has not been used for longest goes
    /// for a new one. `seed` is the hash function's: [`Setup::seed`](crate::Setup::seed).
    #[must_use]
    pub const fn new(capacity: u32, seed: u64) -> Self {
        let capacity = if capacity > 1 << 30 { 1 << 30 } else { capacity };
        Self { capacity, seed, idle: u64::MAX, lifetime: u64::MAX, resolution: None, when_full: WhenFull::Evict }
    }

    /// A flow that is not used for so many nanoseconds is forgotten.
    #[must_use]
    pub const fn idle(self, idle: u64) -> Self {
        Self { idle, ..self }
    }

    /// A flow is forgotten so many nanoseconds after it was made, used or not.
    #[must_use]
    pub const fn lifetime(self, lifetime: u64) -> Self {
        Self { lifetime, ..self }
    }

    /// How exactly the time of last use is kept, in nanoseconds; by default a 64th of the idle time. A flow is forgotten
    /// by so much later than it might be, never earlier, and of two flows that were used within so much of each other
    /// either may be evicted, unless a 64th of the table was made between. It saves work: a flow moves in its list once in
    /// this time, not with each packet.
    #[must_use]
    pub const fn resolution(self, resolution: u64) -> Self {
        Self { resolution: Some(resolution), ..self }
    }

    /// What to do with a new flow where there is no room.
    #[must_use]
    pub const fn when_full(self, when_full: WhenFull) -> Self {
        Self { when_full, ..self }
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(super) const fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) const fn idle_ns(&self) -> u64 {
        self.idle
    }

    pub(super) const fn lifetime_ns(&self) -> u64 {
        self.lifetime
    }

    pub(super) const fn policy(&self) -> WhenFull {
        self.when_full
    }

    /// The resolution; for flows that are never idle for too long it is a microsecond, for the order of eviction.
    #[inline]
    pub(super) const fn step(&self) -> u64 {
        match self.resolution {
            Some(resolution) => resolution,
            None if self.idle == u64::MAX => 1_000,
            None => self.idle / 64,
        }
    }

    /// How many flows may be made before one that is used has to move in its list: few enough that none is evicted that is
    /// used while the others go.
    #[inline]
    pub(super) const fn turn(&self) -> u32 {
        if self.capacity < 128 { 1 } else { self.capacity / 64 }
    }

    /// With so many flows in the table it matters in what order they were used: some will have to go.
    #[inline]
    pub(super) const fn pressed(&self) -> u32 {
        if self.capacity < 64 { 0 } else { self.capacity / 2 }
    }
}
