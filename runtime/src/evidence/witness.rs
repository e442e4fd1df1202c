//! What an instance has with it where evidence is wanted.

use super::case::Case;
use super::image::Image;
use super::probe::Probe;
use super::quota::Quota;
use super::recorder::{Recorder, read_into};
use super::recording::{End, Header, Kind};
use super::trace::Trace;
use crate::grants::Grants;
use crate::wasm::instance::Instance;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What is kept beside an instance.
pub(crate) struct Witness {
    pub(crate) module: String,
    pub(crate) probe: Probe,
    pub(crate) quota: Arc<Quota>,
    pub(crate) recorder: Option<Recorder>,
    /// How its last call ended, where that was badly.
    pub(crate) trace: Option<Trace>,
    /// What it was started with.
    pub(crate) facts: Facts,
}

/// What a replay starts an instance with.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) engine: String,
    pub(crate) region_len: u64,
    pub(crate) grants: Grants,
    pub(crate) seed: u64,
    pub(crate) start_unix_ns: u64,
}

impl Instance {
    /// Its inputs are written down.
    #[inline]
    pub(crate) fn is_recorded(&self) -> bool {
        self.witness.as_ref().is_some_and(|w| w.recorder.is_some())
    }

    /// Lets its recorder work, where it has one.
    pub(crate) fn record(&mut self, work: impl FnOnce(&mut Recorder, &mut Self)) {
        let Some(mut recorder) = self.witness.as_mut().and_then(|w| w.recorder.take()) else { return };
        work(&mut recorder, self);
        if let Some(witness) = &mut self.witness {
            witness.recorder = Some(recorder);
        }
    }

    /// Notes a question, before it is asked.
    pub(crate) fn record_request(&mut self, kind: Kind, mailbox: &[u8]) {
        self.record(|recorder, instance| recorder.request(instance, kind, mailbox));
    }

    /// Notes how a call has ended.
    #[cold]
    pub(crate) fn note_trap(&mut self, callback: &str, error: &wasmtime::Error) {
        if let Some(witness) = &mut self.witness {
            witness.trace = Some(Trace::of(callback, error, witness.probe.shift));
        }
    }

    /// What is to be known of the trap that has just ended this instance, where that is wanted, and not too often. `rooms` are
    /// those that the module had: offsets in the window and lengths. The instance is not called any more.
    pub(crate) fn case(&mut self, at_ns: u64, rooms: Vec<(u32, u32)>) -> Option<Box<Case>> {
        let witness = self.witness.as_mut()?;
        let trace = witness.trace.take()?;
        if !witness.quota.take(at_ns) {
            return None;
        }
        let recorder = witness.recorder.take();
        let (module, probe, facts) = (witness.module.clone(), witness.probe.clone(), witness.facts.clone());
        let (image, globals) = (Image::of(self), self.globals());
        let as_published = recorder.as_ref().and_then(Recorder::last_rooms);
        let recording = recorder.map(|recorder| {
            let mut bytes = Vec::new();
            read_into(self, &rooms, &mut bytes);
            let rooms_digest = Sha256::digest(&bytes).into();
            let end = End { trace: trace.clone(), memory: image.digest(), rooms, rooms_digest };
            recorder.finish(self, end, |start, end| Header {
                digest: probe.digest,
                module: module.clone(),
                engine: facts.engine.clone(),
                region_len: facts.region_len,
                grants: serde_json::to_string(&facts.grants).unwrap_or_default(),
                seed: facts.seed,
                start_unix_ns: facts.start_unix_ns,
                start,
                end,
            })
        });
        Some(Box::new(Case {
            module,
            probe,
            facts,
            trace,
            image,
            globals,
            recording,
            as_published,
            at_ns,
            sequence: 0,
            held: 0,
            packets: Vec::new(),
            head: self.copy(self.numbers().batch, super::recording::HEAD),
        }))
    }
}
