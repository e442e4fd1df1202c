//! A module that says which packets are worth a dump. It runs in this process, in its sandbox, on copies: nothing that it does reaches the run or
//! the history, and where it fails the next one begins anew.

use super::watch::Event;
use anyhow::{Context, Result, anyhow};
use perigee_pcap::file::Flow;
use perigee_record::Record;
use perigee_runtime::Limits;
use perigee_runtime::trial::{Fate, Packet, Setting, Subject, Trial, rx_flags};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Packets that it gets at once.
const BATCH: usize = 64;
/// Rooms for it, and for copies that it makes.
const ROOMS: u32 = 128;
/// Bytes of a packet that it gets.
const ROOM: u16 = 2_048;
/// After so many failures in a row it rests for a while.
const FAILURES: u32 = 10;
const REST: Duration = Duration::from_secs(1);

/// What has become of it.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct Counts {
    /// Packets that it has seen.
    pub(super) packets: u64,
    /// Packets that passed while it had failed and rested.
    pub(super) unseen: u64,
    /// Times that it trapped or took too long.
    pub(super) failures: u64,
    /// Times that another file has taken its place.
    pub(super) swaps: u64,
    /// Times that one was refused.
    pub(super) refused_swaps: u64,
}

/// A module, its instance, and the packets that it gets next.
pub(super) struct Watcher {
    file: PathBuf,
    setting: Setting,
    subject: Subject,
    trial: Option<Trial>,
    batch: Vec<Packet>,
    pub(super) counts: Counts,
    in_a_row: u32,
    rests_since: Option<Instant>,
    last_failure: Option<String>,
}

impl Watcher {
    /// Loads a module from its file, for packets of so many points, which are its ports.
    pub(super) fn load(file: &Path, config: Option<&str>, points: usize) -> Result<Self> {
        let subject = Subject::load(file, Limits::default())?;
        Self::of(file, subject, config.unwrap_or_default().as_bytes(), points)
    }

    /// Of a module that was loaded.
    pub(super) fn of(file: &Path, subject: Subject, config: &[u8], points: usize) -> Result<Self> {
        let setting = Setting {
            config: config.to_vec(),
            rooms: ROOMS,
            room_len: ROOM,
            ports: (0..points).map(|point| [2, 0, 0, 0, 0, u8::try_from(point).unwrap_or(u8::MAX)]).collect(),
            rings: 0,
            hold: 0,
            ..Setting::default()
        };
        let trial = start(&subject, &setting)?;
        Ok(Self {
            file: file.to_owned(),
            setting,
            subject,
            trial: Some(trial),
            batch: Vec::with_capacity(BATCH),
            counts: Counts::default(),
            in_a_row: 0,
            rests_since: None,
            last_failure: None,
        })
    }

    /// Its file, as it is shown.
    pub(super) fn name(&self) -> String {
        perigee_runtime::text::line(&self.file.display().to_string(), perigee_runtime::text::WORDS)
    }

    /// What its file has in it now takes its place, with what it knows where both can hand that on. Where the new one is refused, the
    /// old one goes on.
    pub(super) fn swap(&mut self, events: &mut Vec<Event>) -> Result<()> {
        self.flush(events);
        let swapped = begin(&self.file, &self.setting).and_then(|(subject, mut trial)| {
            if let Some(old) = self.trial.as_mut().filter(|_| self.subject.has("save") && subject.has("restore")) {
                let state = old.save().map_err(|failure| anyhow!("the old one's state: {failure}"))?;
                trial.restore(&state).map_err(|failure| anyhow!("it refuses the old one's state: {failure}"))?;
            }
            Ok((subject, trial))
        });
        match swapped {
            Ok((subject, trial)) => {
                (self.subject, self.trial, self.in_a_row, self.rests_since) = (subject, Some(trial), 0, None);
                self.counts.swaps += 1;
                Ok(())
            }
            Err(error) => {
                self.counts.refused_swaps += 1;
                Err(error)
            }
        }
    }

    /// A packet, which it sees with those that follow.
    pub(super) fn see(&mut self, place: usize, record: &Record<'_>, events: &mut Vec<Event>) {
        if self.rests_since.is_some_and(|since| since.elapsed() < REST) {
            self.counts.unseen += 1;
            return;
        }
        self.rests_since = None;
        let bytes = &record.bytes[..record.bytes.len().min(ROOM.into())];
        self.batch.push(Packet {
            bytes: bytes.to_vec(),
            port: u16::try_from(place).unwrap_or(0),
            rx_flags: rx_flags::TIME,
            time: record.ns,
            ..Packet::default()
        });
        if self.batch.len() == BATCH {
            self.flush(events);
        }
    }

    /// What it says of the packets that wait. One that it sends is worth a dump; it may hold none.
    pub(super) fn flush(&mut self, events: &mut Vec<Event>) {
        if self.batch.is_empty() {
            return;
        }
        self.counts.packets += self.batch.len() as u64;
        let batch = std::mem::take(&mut self.batch);
        let outcome = self.trial().and_then(|trial| trial.process(&batch).map_err(|failure| anyhow!("{failure}")));
        match outcome {
            Ok(outcome) => {
                self.in_a_row = 0;
                let sent = |(packet, seen): (&Packet, &perigee_runtime::trial::Seen)| {
                    let why = || format!("module {}", self.name());
                    let flow = || Some(Flow::of(&packet.bytes));
                    matches!(seen.fate, Fate::Tx(_)).then(|| Event { ns: packet.time, flow: flow(), why: why() })
                };
                events.extend(batch.iter().zip(&outcome.packets).filter_map(sent));
            }
            Err(error) => self.fail(&error),
        }
        self.batch = batch;
        self.batch.clear();
    }

    /// Its instance; a new one where the last one has failed.
    fn trial(&mut self) -> Result<&mut Trial> {
        if self.trial.is_none() {
            self.trial = Some(start(&self.subject, &self.setting)?);
        }
        self.trial.as_mut().context("it has no instance")
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.trial = None;
        self.counts.failures += 1;
        self.in_a_row += 1;
        let text = format!("{error:#}");
        if self.last_failure.as_ref() != Some(&text) {
            tracing::warn!(
                "{} has failed: {}",
                self.name(),
                perigee_runtime::text::line(&text, perigee_runtime::text::WORDS)
            );
            self.last_failure = Some(text);
        }
        if self.in_a_row >= FAILURES {
            self.rests_since = Some(Instant::now());
        }
    }
}

fn begin(file: &Path, setting: &Setting) -> Result<(Subject, Trial)> {
    let subject = Subject::load(file, Limits::default())?;
    let trial = start(&subject, setting)?;
    Ok((subject, trial))
}

fn start(subject: &Subject, setting: &Setting) -> Result<Trial> {
    Trial::start(subject, setting).map_err(|failure| anyhow!("it does not start: {failure}"))
}
