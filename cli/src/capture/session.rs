//! A capture or a history as its reader has it: the connection, and the memory with its [`Lanes`].

use super::lanes::Lanes;
use crate::client::Client;
use anyhow::{Context, Result, bail};
use perigee_control::CAPTURE_PROTOCOL;
use perigee_record::Map;
use perigee_runtime::{CaptureInfo, CaptureRequest};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use std::fs::File;
use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// How long the run may take until it has told where its packets are.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest that it tells.
const MOST_TEXT: usize = 1 << 20;

/// A capture under way, or a history.
pub(crate) struct Session {
    /// To the run. A file, for it is read and written as one where a jail allows nothing else.
    stream: File,
    /// The run's process.
    process: i32,
    /// The run is to be asked for the capture's end; else it says itself when that is.
    asks: bool,
    /// What the run says of it.
    pub(crate) info: CaptureInfo,
    map: Arc<Map>,
    /// What the run has told and nobody has read yet.
    told: Vec<u8>,
    /// Its packets.
    pub(crate) lanes: Lanes,
}

impl Session {
    /// Begins a capture.
    pub(super) fn begin(client: &Client, request: &CaptureRequest) -> Result<Self> {
        let body = serde_json::to_vec(request).context("the request")?;
        Ok(Self { asks: true, ..Self::ask(client, "/v1/captures", body)? })
    }

    /// A history of the run, which goes on without this reader.
    pub(crate) fn attach(client: &Client, path: &str) -> Result<Self> {
        Self::ask(client, path, Vec::new())
    }

    fn ask(client: &Client, path: &str, body: Vec<u8>) -> Result<Self> {
        let mut stream = client.upgrade(path, CAPTURE_PROTOCOL, body)?;
        stream.set_read_timeout(Some(PATIENCE)).context("the connection")?;
        stream.write_all(b"+").context("the connection")?;
        let (line, memory) = receive(&stream).context("the run does not hand its packets over")?;
        let memory = memory.context("the run gave no descriptor of its packets")?;
        Self::given(File::from(OwnedFd::from(stream)), &line, &memory)
    }

    /// A capture that was begun by the run, which has handed this over.
    pub(crate) fn given(stream: File, line: &[u8], memory: &OwnedFd) -> Result<Self> {
        let info: CaptureInfo = serde_json::from_slice(line).context("the run is of another version")?;
        let map = Map::new(memory.as_fd()).context("the run's packets")?;
        let lanes = Lanes::new(&map, &info)?;
        rustix::io::ioctl_fionbio(&stream, true).context("the connection")?;
        let process = rustix::net::sockopt::socket_peercred(&stream).context("the run's process")?.pid;
        let process = process.as_raw_nonzero().get();
        Ok(Self { stream, process, asks: false, info, map, told: Vec::new(), lanes })
    }

    /// Asks the run to capture no more. What it has captured until then is still to be read.
    pub(super) fn ask_end(&mut self) {
        if self.asks {
            // A run that has gone needs not be asked.
            let _ = self.stream.write_all(b".");
        }
    }

    /// The run has closed the connection: it captures no more, or has ended.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut bytes = [0; 256];
        match self.stream.read(&mut bytes) {
            Ok(0) => true,
            Ok(n) => {
                self.told.extend_from_slice(&bytes[..n]);
                self.told.truncate(MOST_TEXT);
                false
            }
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    /// The next line that the run has told since it has handed its packets over, as far as [`Self::is_closed`] has looked.
    pub(crate) fn told(&mut self) -> Option<Vec<u8>> {
        let end = self.told.iter().position(|byte| *byte == b'\n')?;
        Some(self.told.drain(..=end).collect())
    }

    /// The run's process is there.
    pub(super) fn is_run_there(&self) -> bool {
        std::path::Path::new("/proc").join(self.process.to_string()).exists()
    }

    /// The memory that they are in.
    pub(super) fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map)
    }

    /// Another reader of the same packets, at the first one.
    pub(crate) fn another(&self) -> Result<Lanes> {
        Lanes::new(&self.map, &self.info)
    }
}

/// Receives a line and the descriptor that may come with it.
pub(crate) fn receive(stream: &impl AsFd) -> Result<(Vec<u8>, Option<OwnedFd>)> {
    let (mut text, mut memory) = (Vec::new(), None);
    while !text.ends_with(b"\n") {
        let mut bytes = [0; 4_096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(stream, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut descriptors) = message {
                memory = memory.or(descriptors.next());
            }
        }
        if got.flags.contains(ReturnFlags::CTRUNC) {
            bail!("it gave a descriptor that this process has no place for (ulimit -n)");
        }
        if got.bytes == 0 {
            bail!("it has closed the connection");
        }
        text.extend_from_slice(&bytes[..got.bytes]);
        if text.len() > MOST_TEXT {
            bail!("it tells more than {MOST_TEXT} bytes");
        }
    }
    Ok((text, memory))
}
