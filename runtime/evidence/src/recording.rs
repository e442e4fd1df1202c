//! What a recording is made of, and its file: `recording.bin` of a bundle. A first line of magic and version, then a
//! [`Header`], then [`Event`]s to the end, all as postcard writes them.

use super::image::Image;
use perigee_abi::{Batch, PacketDesc};
use perigee_wasm::instance::GlobalValue;
use perigee_wasm::trace::Trace;
use perigee_wasm::wasi::WasiState;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::mem::offset_of;

/// The file begins so; the last byte is the format's version.
const MAGIC: &[u8; 8] = b"PGYREC\n\x01";

/// Bytes of the batch area's beginning that the host writes: header and ports.
pub(super) const HEAD: usize = offset_of!(Batch, counters);
/// Where descriptors of packets and of spare rooms begin in the area.
pub(super) const PACKETS: u32 = offset(offset_of!(Batch, packets));
pub(super) const SPARES: u32 = offset(offset_of!(Batch, spares));
/// Bytes of a descriptor.
pub(super) const DESC: usize = size_of::<PacketDesc>();

#[allow(clippy::cast_possible_truncation, reason = "offsets in the batch area are below 2^16")]
const fn offset(at: usize) -> u32 {
    at as u32
}

/// Which function of the module is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// `init`.
    Init,
    /// `prefill`.
    Prefill,
    /// `generate`.
    Generate,
    /// `process`.
    Process,
    /// `tick`.
    Tick,
    /// `message`.
    Message,
    /// `save`.
    Save,
    /// `restore`.
    Restore,
}

/// What holds for all of a recording, and how it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// SHA-256 of the module, binary.
    pub digest: [u8; 32],
    /// The module's name in the configuration.
    pub module: String,
    /// What compiled it: another engine's code may end elsewhere.
    pub engine: String,
    /// Bytes of packets' rooms in the window.
    pub region_len: u64,
    /// What the module may do, as JSON: its texts for times and sizes are for people.
    pub grants: String,
    /// What the instance was started with.
    pub seed: u64,
    pub start_unix_ns: u64,
    /// Where it begins; without: a new instance.
    pub start: Option<Snapshot>,
    /// How the last call ended.
    pub end: End,
}

/// The end that a replay must come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    pub trace: Trace,
    /// SHA-256 of the memory without the window.
    pub memory: [u8; 32],
    /// Rooms that the module had, as offsets in the window and lengths; and SHA-256 of their bytes.
    pub rooms: Vec<(u32, u32)>,
    pub rooms_digest: [u8; 32],
}

/// An instance between two calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub image: Image,
    pub globals: Vec<GlobalValue>,
    pub wasi: WasiState,
    pub rooms: Rooms<'static>,
}

/// Bytes of rooms in the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rooms<'a> {
    /// Their offsets in the window and lengths.
    pub places: Vec<(u32, u32)>,
    /// Their bytes, one after the other.
    #[serde(with = "super::bytes")]
    pub bytes: Cow<'a, [u8]>,
}

/// What an instance was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Event<'a> {
    /// A call with a batch, as the host has published it.
    Batch {
        kind: Kind,
        count: u32,
        #[serde(with = "super::bytes")]
        head: Cow<'a, [u8]>,
        #[serde(with = "super::bytes")]
        packets: Cow<'a, [u8]>,
        #[serde(with = "super::bytes")]
        spares: Cow<'a, [u8]>,
        /// Rooms handed over with it.
        rooms: Rooms<'a>,
    },
    /// A question, in the mailbox.
    Request {
        kind: Kind,
        #[serde(with = "super::bytes")]
        head: Cow<'a, [u8]>,
        #[serde(with = "super::bytes")]
        mailbox: Cow<'a, [u8]>,
    },
    /// What the clock said in the call before; at the beginning: while the instance was made.
    Times(Vec<u64>),
}

/// Why a recording cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it does not begin as a recording of this version of Perigee does")]
    Magic,
    #[error("it is damaged at byte {0}")]
    Damaged(usize),
}

/// Writes a header; events follow it.
pub(super) fn encode(header: &Header) -> Vec<u8> {
    append(MAGIC.to_vec(), header)
}

/// Appends a value.
pub(super) fn append<T: Serialize>(to: Vec<u8>, value: &T) -> Vec<u8> {
    // Writing into a vector does not fail, and our types have nothing that postcard does not know.
    postcard::to_extend(value, to).unwrap_or_default()
}

/// Reads a file.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Header, Vec<Event<'static>>), Unreadable> {
    let mut rest = bytes.strip_prefix(MAGIC).ok_or(Unreadable::Magic)?;
    let damaged = |rest: &[u8]| Unreadable::Damaged(bytes.len() - rest.len());
    let (header, after) = postcard::take_from_bytes(rest).map_err(|_| damaged(rest))?;
    rest = after;
    let mut events = Vec::new();
    while !rest.is_empty() {
        let (event, after) = postcard::take_from_bytes(rest).map_err(|_| damaged(rest))?;
        events.push(event);
        rest = after;
    }
    Ok((header, events))
}
