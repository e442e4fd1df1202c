//! What a module implements.

use crate::batch::Batch;
use crate::counter::Counter;
use crate::raw::{self, Parts, Region};
use crate::refusal::Refusal;
use crate::rooms::Rooms;
use core::fmt;
use perigee_abi::PortInfo;

/// A packet module. Only the callbacks named in [`module!`](crate::module!) are exported and called.
pub trait Module: Sized {
    /// Makes an instance: once, before anything else.
    ///
    /// # Errors
    ///
    /// A text that tells the operator what is wrong with the configuration.
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal>;

    /// Decides about the packets of a batch. Without `tick`, also called with none at least every tick.
    fn process(&mut self, batch: &mut Batch<'_>) {
        let _ = batch;
    }

    /// Makes packets.
    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        let _ = rooms;
    }

    /// Writes a template into rooms that `generate` will see later.
    fn prefill(&mut self, rooms: &mut Rooms<'_>) {
        let _ = rooms;
    }

    /// Runs timers. The batch has no packets, but an output list.
    fn tick(&mut self, batch: &mut Batch<'_>) {
        let _ = batch;
    }

    /// Answers a message of the control plane.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong with the message.
    fn message(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        let _ = (request, reply);
        Err(Refusal::new("this module takes no messages"))
    }

    /// Writes the state for the instance that will take this one's place.
    ///
    /// # Errors
    ///
    /// A text that says why the state cannot be saved.
    fn save(&mut self, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        let _ = state;
        Ok(())
    }

    /// Tells the host what varies from packet to packet, as a plan of which it makes machine code: see
    /// [`crate::vary::Compiled`]. Nothing where there is nothing to compile.
    ///
    /// # Errors
    ///
    /// A text that says what cannot be compiled.
    fn fields(&mut self, plan: &mut Buffer<'_>) -> Result<(), Refusal> {
        let _ = plan;
        Ok(())
    }

    /// Takes over the state that another instance saved, of the version that this module saves too.
    ///
    /// # Errors
    ///
    /// A text that says why the state cannot be taken over.
    fn restore(&mut self, state: &[u8]) -> Result<(), Refusal> {
        let _ = state;
        Ok(())
    }

    /// Takes over a state of another version: that of an older module, or of a newer one.
    ///
    /// # Errors
    ///
    /// A text that says why the state cannot be taken over. Without this function, that its version is another.
    fn restore_from(&mut self, version: u32, state: &[u8]) -> Result<(), Refusal> {
        let _ = (version, state);
        Err(Refusal::new(
            "the state is of another version (`state_version` in `module!`), and there is no `restore_from`",
        ))
    }
}

/// What an instance is made of: its configuration, and the facts of its run.
pub struct Setup<'a> {
    config: &'a [u8],
    parts: Parts<'a>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(config: &'a [u8], parts: Parts<'a>) -> Self {
        Self { config, parts }
    }

    /// The configuration: JSON where the operator wrote a table, otherwise the bytes of a string.
    #[must_use]
    pub fn config(&self) -> &'a [u8] {
        self.config
    }

    /// The configuration as a value of a type that derives `Deserialize`. An empty one counts as `{}`.
    ///
    /// # Errors
    ///
    /// A text that names the key and what is wrong with it.
    #[cfg(feature = "config")]
    pub fn json<T: serde::Deserialize<'a>>(&self) -> Result<T, Refusal> {
        crate::config::from_json(self.config)
    }

    /// Gives a counter the name under which the host shows it.
    pub fn counter(&self, counter: Counter, name: &str) {
        raw::name_counter(counter.index(), name);
    }

    /// Seed for random numbers: differs by instance, and is the same again in a run with the same seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.parts.header.seed
    }

    /// Which of the module's instances in this chain this is, from 0, and how many there are.
    #[must_use]
    pub fn instance(&self) -> (u32, u32) {
        (self.parts.header.instance, self.parts.header.instances)
    }

    /// The run's ports, by number.
    #[must_use]
    pub fn ports(&self) -> &[PortInfo] {
        self.parts.ports
    }

    /// Number of rings in the run.
    #[must_use]
    pub fn ring_count(&self) -> u32 {
        self.parts.header.ring_count
    }

    /// Number of the port that packets leave by after the chain's last stage, where there is one.
    #[must_use]
    pub fn next_port(&self) -> Option<u16> {
        u16::try_from(self.parts.header.next_port).ok().filter(|&port| port != u16::MAX)
    }

    /// Whether packets leave at the times that the module asks for: `pace` is granted.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.parts.header.pacing != perigee_abi::pacing::NONE
    }

    /// Unix time when the run began, in nanoseconds: plus a time of the run's clock it is the time of day.
    #[must_use]
    pub fn start_unix_ns(&self) -> u64 {
        self.parts.header.start_unix_ns
    }

    /// Largest packet that fits a fresh room; 0 where the module makes none.
    #[must_use]
    pub fn room_len(&self) -> u32 {
        self.parts.header.room_len
    }

    /// The flat state region, where the module declares one: the first time that it is asked for.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        Region::take(self.parts.header.state, self.parts.header.state_len)
    }

    /// Nanoseconds since the run began, now.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        raw::time()
    }
}

/// The mailbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The mailbox, to write a reply or the state into.
pub struct Buffer<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl<'a> Buffer<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, len: 0 }
    }

    /// Appends bytes: all of them, or none.
    ///
    /// # Errors
    ///
    /// They do not fit.
    pub fn push(&mut self, part: &[u8]) -> Result<(), Full> {
        let place = self.bytes.get_mut(self.len..).and_then(|rest| rest.get_mut(..part.len())).ok_or(Full)?;
        place.copy_from_slice(part);
        self.len += part.len();
        Ok(())
    }

    /// Bytes written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Write for Buffer<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push(part.as_bytes()).map_err(|Full| fmt::Error)
    }
}
