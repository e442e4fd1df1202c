//! What stands beside an instance where evidence of its failures is wanted.

use super::case::Case;
use super::image::Image;
use super::probe::Probe;
use super::quota::Quota;
use super::recorder::{Recorder, read_into};
use super::recording::{End, Header, Kind};
use perigee_config::Grants;
use perigee_wasm::instance::Instance;
use perigee_wasm::trap::Trapped;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What is kept beside an instance.
pub struct Witness {
    /// The module's name.
    pub module: String,
    /// What is kept of the module.
    pub probe: Probe,
    /// How many bundles the module may still have.
    pub quota: Arc<Quota>,
    /// What writes its inputs down, in a recorded run.
    pub recorder: Option<Recorder>,
    /// What it was started with.
    pub started: Started,
}

/// What a replay starts an instance with.
#[derive(Clone, Debug)]
pub struct Started {
    /// What has compiled it.
    pub engine: String,
    /// Bytes of packets' rooms in the window.
    pub region_len: u64,
    /// What it may do.
    pub grants: Grants,
    /// Where its random numbers begin.
    pub seed: u64,
    /// Unix time at the run's beginning, nanoseconds.
    pub start_unix_ns: u64,
}

impl Witness {
    /// Notes a question, before the instance is asked.
    pub fn asked(&mut self, instance: &mut Instance, kind: Kind, mailbox: &[u8]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.request(instance, kind, mailbox);
        }
    }

    /// What is to be known of the trap that has just ended the instance, where that is not too often. `rooms` are those that
    /// the module had: offsets in the window and lengths. The instance is not called any more.
    pub fn case(
        &mut self,
        instance: &mut Instance,
        trapped: &Trapped,
        at_ns: u64,
        rooms: Vec<(u32, u32)>,
    ) -> Option<Box<Case>> {
        let trace = trapped.trace()?.clone();
        if !self.quota.take(at_ns) {
            return None;
        }
        let recorder = self.recorder.take();
        let (module, probe, started) = (self.module.clone(), self.probe.clone(), self.started.clone());
        let secrets = instance.host().secrets().clone();
        let (image, globals) = match secrets.is_empty() {
            true => (Image::of(instance), instance.globals()),
            // The module has put them wherever it liked, and what it has made of them nobody can find.
            false => (Image::outline(instance), Vec::new()),
        };
        let as_published = recorder.as_ref().and_then(Recorder::last_rooms);
        let recording = recorder.map(|recorder| {
            let mut bytes = Vec::new();
            read_into(instance, &rooms, &mut bytes);
            let rooms_digest = Sha256::digest(&bytes).into();
            let end = End { trace: trace.clone(), memory: image.digest(), rooms, rooms_digest };
            recorder.finish(instance, end, |start, end| Header {
                digest: probe.digest,
                module: module.clone(),
                engine: started.engine.clone(),
                region_len: started.region_len,
                grants: serde_json::to_string(&started.grants).unwrap_or_default(),
                seed: started.seed,
                start_unix_ns: started.start_unix_ns,
                start,
                end,
            })
        });
        Some(Box::new(Case {
            module,
            probe,
            started,
            trace,
            image,
            globals,
            secrets,
            recording,
            as_published,
            at_ns,
            sequence: 0,
            held: 0,
            packets: Vec::new(),
            log: instance.host().last_lines(),
            head: instance.copy(instance.numbers().batch, super::recording::HEAD),
        }))
    }
}
