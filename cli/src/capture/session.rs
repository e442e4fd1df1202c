//! A capture as its reader has it: the connection, the memory, and packets of all lanes in the order of their times.

use crate::client::Client;
use anyhow::{Context, Result, bail};
use perigee_control::CAPTURE_PROTOCOL;
use perigee_record::{Counts, Map, Reader, Record};
use perigee_runtime::{CaptureInfo, CaptureRequest};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};
use std::fs::File;
use std::io::{ErrorKind, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long the run may take until it has told where its packets are.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest that it tells.
const MOST_TEXT: usize = 1 << 20;
/// For so long packets wait for those of other lcores that came before them.
const SETTLE: Duration = Duration::from_millis(3);

/// A capture under way.
pub(super) struct Session {
    /// To the run. A file, for it is read and written as one where a jail allows nothing else.
    stream: File,
    /// The run's process.
    process: i32,
    /// The run is to be asked for the capture's end; else it says itself when that is.
    asks: bool,
    /// What the run says of it.
    pub(super) info: CaptureInfo,
    lanes: Vec<Lane>,
    /// Packets until this time are in order, as far as is known; and until when those will be that have come since.
    horizon: u64,
    next_horizon: (u64, Instant),
}

struct Lane {
    reader: Reader,
    place: usize,
    /// The time of its next record.
    head: Option<u64>,
}

impl Session {
    /// Begins a capture.
    pub(super) fn begin(client: &Client, request: &CaptureRequest) -> Result<Self> {
        let body = serde_json::to_vec(request).context("the request")?;
        let mut stream = client.upgrade("/v1/captures", CAPTURE_PROTOCOL, body)?;
        stream.set_read_timeout(Some(PATIENCE)).context("the connection")?;
        stream.write_all(b"+").context("the connection")?;
        let (line, memory) = receive(&stream).context("the run does not hand its packets over")?;
        let memory = memory.context("the run gave no descriptor of its packets")?;
        let given = Self::given(File::from(OwnedFd::from(stream)), &line, &memory)?;
        Ok(Self { asks: true, ..given })
    }

    /// A capture that was begun by the run, which has handed this over.
    pub(super) fn given(stream: File, line: &[u8], memory: &OwnedFd) -> Result<Self> {
        let info: CaptureInfo = serde_json::from_slice(line).context("the run is of another version")?;
        let map = Map::new(memory.as_fd()).context("the run's packets")?;
        let lane = |(number, lane): (u64, &perigee_runtime::LaneInfo)| {
            let known = lane.place < info.places.len();
            let reader = map.reader(number).filter(|_| known).context("the run is of another version")?;
            Ok(Lane { reader, place: lane.place, head: None })
        };
        let lanes = (0..).zip(&info.lanes).map(lane).collect::<Result<Vec<_>>>()?;
        rustix::io::ioctl_fionbio(&stream, true).context("the connection")?;
        let process = rustix::net::sockopt::socket_peercred(&stream).context("the run's process")?.pid;
        let process = process.as_raw_nonzero().get();
        Ok(Self { stream, process, asks: false, info, lanes, horizon: 0, next_horizon: (0, Instant::now()) })
    }

    /// Asks the run to capture no more. What it has captured until then is still to be read.
    pub(super) fn ask_end(&mut self) {
        if self.asks {
            // A run that has gone needs not be asked.
            let _ = self.stream.write_all(b".");
        }
    }

    /// The run has closed the connection: it captures no more, or has ended.
    pub(super) fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 16]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    /// The run's process is there.
    pub(super) fn is_run_there(&self) -> bool {
        std::path::Path::new("/proc").join(self.process.to_string()).exists()
    }

    /// Nothing more is written to any lane.
    pub(super) fn has_ended(&self) -> bool {
        self.lanes.iter().all(|lane| lane.reader.counts().ended)
    }

    /// Hands on what is there, in order: the place and the packet. It stops where `take` does not go on. How many they were.
    pub(super) fn drain(&mut self, all: bool, mut take: impl FnMut(usize, &Record<'_>) -> bool) -> u64 {
        self.look_ahead();
        let horizon = if all { u64::MAX } else { self.horizon };
        for lane in self.lanes.iter_mut().filter(|lane| lane.head.is_none()) {
            lane.head = lane.reader.peek().map(|record| record.ns);
        }
        let mut handed = 0;
        loop {
            let due = self.lanes.iter_mut().filter(|lane| lane.head.is_some_and(|ns| ns <= horizon));
            let Some(lane) = due.min_by_key(|lane| lane.head) else { return handed };
            let goes_on = lane.reader.peek().is_none_or(|record| take(lane.place, &record));
            lane.reader.pass();
            lane.head = lane.reader.peek().map(|record| record.ns);
            handed += 1;
            if !goes_on {
                return handed;
            }
        }
    }

    /// What lcores have shown a while ago has nothing before it any more that is to come.
    fn look_ahead(&mut self) {
        if self.next_horizon.1.elapsed() >= SETTLE {
            self.horizon = self.next_horizon.0;
            let shown = self.lanes.iter().map(|lane| lane.reader.shown_ns()).max();
            self.next_horizon = (shown.unwrap_or(0), Instant::now());
        }
    }

    /// All was read that there was: what is missing behind it was missed too.
    pub(super) fn finish(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.reader.finish());
    }

    /// What a place has counted, and how much of it this reader has missed.
    pub(super) fn counts(&self, place: usize) -> (Counts, u64) {
        let lanes = self.lanes.iter().filter(|lane| lane.place == place);
        lanes.fold((Counts { ended: true, ..Counts::default() }, 0), |(sum, missed), lane| {
            let one = lane.reader.counts();
            let sum = Counts {
                seen: sum.seen + one.seen,
                refused: sum.refused + one.refused,
                recorded: sum.recorded + one.recorded,
                ended: sum.ended && one.ended,
            };
            (sum, missed + lane.reader.missed())
        })
    }
}

/// Receives a line and the descriptor that may come with it.
pub(super) fn receive(stream: &impl AsFd) -> Result<(Vec<u8>, Option<OwnedFd>)> {
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
