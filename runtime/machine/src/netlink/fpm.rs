//! FRR's way to tell its routes to a forwarding plane (the Forwarding Plane Manager): messages of netlink, each set in a frame of
//! four bytes.

use super::routes::{Malformed, Messages};

/// Length of a frame's header: version, type, and the length of the whole in network order.
const HEADER: usize = 4;
const VERSION: u8 = 1;
const NETLINK: u8 = 1;
/// Longest frame: that of FRR's buffers. With it a peer that sends a part of a frame holds so much memory and no more.
pub const LONGEST: usize = 8 << 10;

/// Takes frames out of what has come, in any pieces.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// How many of these were taken.
    taken: usize,
}

impl Frames {
    /// More has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.taken));
        self.bytes.extend_from_slice(bytes);
    }

    /// The messages of the next frame; nothing where it is not whole yet.
    ///
    /// # Errors
    /// What has come is no such frame. Nothing behind it can be read.
    pub fn next_frame(&mut self) -> Result<Option<Messages<'_>>, Malformed> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((&[version, kind, upper, lower], _)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let len = usize::from(u16::from_be_bytes([upper, lower]));
        if version != VERSION {
            return Err("a frame is not of version 1: the peer speaks no FPM");
        }
        if kind != NETLINK {
            return Err("a frame is not in netlink's form: say `-M dplane_fpm_nl`, or `-M fpm:netlink`, to zebra");
        }
        if !(HEADER..=LONGEST).contains(&len) {
            return Err("a frame is shorter than its header or longer than 8 KiB");
        }
        let Some(frame) = rest.get(HEADER..len) else { return Ok(None) };
        self.taken += len;
        Ok(Some(Messages::new(frame)))
    }

    /// How many bytes wait for the rest of their frame.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.taken
    }
}
