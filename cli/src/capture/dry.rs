//! Trials that say which side of a capture is slow: all but the disk, or nothing but the disk.

use super::args::CaptureArgs;
use super::blocks::{About, Tally};
use super::files::{Files, Stop, Wanted};
use super::work::now_ns;
use crate::output;
use crate::table::packet_rate;
use anyhow::{Context, Result};
use perigee_record::Record;
use perigee_runtime::config::capture::Way;
use perigee_runtime::{CaptureInfo, PlaceInfo};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long the disk is tried where nothing else is said.
const USUAL: Duration = Duration::from_secs(10);
/// Bytes of headers of the packets that are made, and the last two of their source address, which differ.
const HEADERS: usize = 42;
const SOURCE: std::ops::Range<usize> = 28..30;

/// What one side has done.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Rate {
    packets: u64,
    /// Bytes of a file.
    bytes: u64,
    seconds: f64,
    /// The part of the time in which there was something to do.
    busy: f64,
}

impl Rate {
    /// Of what was written, or would have been.
    pub(super) fn new(packets: u64, bytes: u64, taken: Duration, idle: Duration) -> Self {
        let seconds = taken.as_secs_f64().max(f64::MIN_POSITIVE);
        let busy = (taken.saturating_sub(idle).as_secs_f64() / seconds).clamp(0.0, 1.0);
        Self { packets, bytes, seconds, busy }
    }

    fn told(&self) -> String {
        let ns = u64::try_from(Duration::from_secs_f64(self.seconds).as_nanos()).unwrap_or(u64::MAX);
        let megabytes = self.bytes_per_second() / 1e6;
        format!("{}, {megabytes:.0} MB/s of a file", packet_rate(self.packets, ns).trim())
    }

    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds
    }

    /// What `--dry-disk` has found; `ring` packets were written over before they were read.
    pub(super) fn reading(&self, ring: u64) -> String {
        let (rate, busy) = (self.told(), self.busy * 100.0);
        if ring > 0 {
            return format!(
                "all but the disk: {rate}; it was too slow for {ring} packets more: this process lacks a CPU, or memory (--memory)"
            );
        }
        let most = self.bytes_per_second() / 1e6 / self.busy.max(0.001);
        format!("all but the disk: {rate}, in {busy:.0} % of the time: this side would do for about {most:.0} MB/s")
    }
}

/// `perigee capture --dry-net`: packets of `len` bytes that are made from nothing, as fast as the disk takes them.
pub(super) fn net(args: &CaptureArgs, file: PathBuf, len: u32, is_over: &dyn Fn() -> bool) -> Result<ExitCode> {
    let json = output::Json::open(&args.json)?;
    let info = CaptureInfo {
        id: 0,
        start_unix_ns: now_ns(),
        snaplen: u16::MAX,
        places: vec![PlaceInfo { name: "made".to_owned(), way: Way::Within, port: None }],
        lanes: Vec::new(),
        causes: Vec::new(),
    };
    let wanted = Wanted {
        file,
        format: args.format.into(),
        rotation: args.rotation.rotation(),
        overwrite: args.overwrite,
        about: About { info: &info, filter: None, comment: None },
    };
    let mut files = Files::open(wanted, now_ns())?;
    let begun = Instant::now();
    let made = make(args, &mut files, usize::try_from(len)?.max(HEADERS), is_over);
    let made = made.and_then(|bytes| files.sync().map(|()| bytes).context("the disk does not take what was written"));
    let taken = begun.elapsed();
    files.remove_all();
    let rate = Rate::new(files.tally(0).written, made?, taken, Duration::ZERO);
    json.write(&rate)?;
    if !args.quiet {
        output::line(&format!("nothing but the disk: {}, until all of it was there; it is removed", rate.told()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes until it is enough: how many bytes.
fn make(args: &CaptureArgs, files: &mut Files<'_>, len: usize, is_over: &dyn Fn() -> bool) -> Result<u64> {
    let (begun, limit) = (Instant::now(), args.duration.unwrap_or(USUAL));
    let mut frame = [
        &[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0][..],
        &[10, 0, 0, 1, 10, 1, 0, 1, 0, 9, 0, 9, 0, 0, 0, 0],
    ]
    .concat();
    frame.resize(len, 0x5a);
    let (mut bytes, mut left) = (0, args.count.unwrap_or(u64::MAX));
    let all = |files: &Files<'_>| [Tally { seen: files.tally(0).written, ..files.tally(0) }];
    while left > 0 {
        // A look at the clock for some packets.
        for n in 0..left.min(64) {
            frame[SOURCE].copy_from_slice(&u16::try_from((left - n) & 0xffff).unwrap_or(0).to_be_bytes());
            let ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let record =
                Record { ns, number: n, original: u32::try_from(len)?, cause: u8::MAX, flags: 0, bytes: &frame };
            files.packet(0, &record).map_err(Stop::into_error)?;
            if files.is_full() {
                bytes += files.len();
                files.rotate(&all(files), now_ns()).map_err(Stop::into_error)?;
            }
        }
        left = left.saturating_sub(64);
        if begun.elapsed() >= limit || is_over() {
            break;
        }
    }
    files.end(&all(files), now_ns()).map_err(Stop::into_error)?;
    Ok(bytes + files.len())
}
