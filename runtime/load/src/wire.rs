//! How a run and its compile server talk: a length, a head, and the bytes that the head announces.

use super::keeper::{Note, Plan};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// Most bytes of a head.
const MOST_HEAD: usize = 1 << 20;

/// What the run asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The first: how to work. Answered by [`Answer::Ready`].
    Begin(Plan),
    /// Compile so many bytes, which follow.
    Compile { len: u64 },
    /// The highest version of a signed module.
    Highest { module: String },
    /// A version is to be remembered.
    Remember { module: String, version: u64, back: bool },
}

/// What the server answers: one answer to each request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Ready {
        /// Digest of the engine that code is made for.
        engine: [u8; 32],
        notes: Vec<Note>,
    },
    /// Code of so many bytes follows.
    Native {
        len: u64,
        wasm_len: u64,
        cached: bool,
        notes: Vec<Note>,
    },
    Highest(Option<u64>),
    Remembered,
    /// The module, or what was asked, is not taken: why.
    Refused {
        why: String,
        notes: Vec<Note>,
    },
}

pub(super) fn send<T: Serialize>(to: &mut impl Write, head: &T, body: &[u8]) -> io::Result<()> {
    let head = postcard::to_stdvec(head).map_err(io::Error::other)?;
    let len = u32::try_from(head.len()).ok().filter(|_| head.len() <= MOST_HEAD);
    let len = len.ok_or_else(|| io::Error::other("the head of a frame is too long"))?;
    to.write_all(&len.to_le_bytes())?;
    to.write_all(&head)?;
    to.write_all(body)?;
    to.flush()
}

pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut len = [0; 4];
    from.read_exact(&mut len)?;
    let len = u32::from_le_bytes(len) as usize;
    if len > MOST_HEAD {
        return Err(io::Error::other(format!("the head of a frame has {len} bytes")));
    }
    let mut head = vec![0; len];
    from.read_exact(&mut head)?;
    postcard::from_bytes(&head).map_err(io::Error::other)
}

/// Reads the bytes that a head has announced, if they are no more than `most`.
pub(super) fn receive_body(from: &mut impl Read, len: u64, most: u64) -> io::Result<Vec<u8>> {
    if len > most {
        return Err(io::Error::other(format!("{len} bytes are announced, at most {most} are taken")));
    }
    let mut body = Vec::new();
    from.take(len).read_to_end(&mut body)?;
    if u64::try_from(body.len()).unwrap_or(u64::MAX) < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}
