//! The network functions as WebAssembly, under their limits, on packets, messages and states that nobody in his right mind sends:
//! none traps, none takes longer than its deadline, none needs more memory than it may have, and each packet has a fate.

mod packets;
mod subjects;

use crate::fuzz::{Random, mutant};
use anyhow::{Context, Result, bail, ensure};
use packets::Packets;
use perigee_runtime::Limits;
use perigee_runtime::trial::{Failure, Fate, Outcome, Packet, Setting, Subject, Trial};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
pub use subjects::FUNCTIONS;
use subjects::Function;

/// What each may have: the memory that a configuration gives where it says nothing, and time in which no call ends that does not end at all.
const LIMITS: Limits = Limits {
    memory: 256 << 20,
    deadline: Duration::from_millis(200),
    control_deadline: Duration::from_secs(2),
    targets: 1,
    table: 65_536,
    reads: false,
};
/// Calls of an instance, before another one begins.
const CALLS: u64 = 400;
/// Rooms of the window: it is compared after each call.
const ROOMS: u32 = 192;
/// Most packets that an instance holds.
const HOLD: u32 = 64;

/// What became of them.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Calls, and packets in these.
    pub calls: u64,
    /// See `calls`.
    pub packets: u64,
    /// Messages that were answered, and refused.
    pub answered: u64,
    /// See `answered`.
    pub refused: u64,
    /// States that were taken, and refused.
    pub taken: u64,
    /// See `taken`.
    pub untaken: u64,
    /// What became of packets.
    pub fates: BTreeMap<String, u64>,
}

/// Tries one function for so many calls. `root` is the repository's.
///
/// # Errors
/// Something does not hold: which module, and the packets of the last call.
pub fn attempt(root: &Path, function: &Function, calls: u64, seed: u64) -> Result<Tally> {
    let file = root.join("target/modules").join(format!("{}.wasm", function.module));
    let subject = Subject::load(&file, LIMITS).with_context(|| format!("{}: ./x build-modules", file.display()))?;
    let packets = Packets::read(root, function)?;
    let (mut tally, mut random) = (Tally::default(), Random(seed));
    while tally.calls < calls {
        let run = Life { function, subject: &subject, packets: &packets, seed: random.0 };
        run.live(&mut tally, &mut random).with_context(|| format!("{} with {}", function.module, function.config))?;
    }
    Ok(tally)
}

/// An instance, from its beginning to its end.
struct Life<'a> {
    function: &'a Function,
    subject: &'a Subject,
    packets: &'a Packets,
    seed: u64,
}

impl Life<'_> {
    fn start(&self) -> Result<Trial> {
        let setting = Setting {
            config: self.function.config.as_bytes().to_vec(),
            seed: self.seed,
            rooms: ROOMS,
            hold: HOLD,
            rings: 2,
            ..Setting::default()
        };
        Trial::start(self.subject, &setting).context("it does not start")
    }

    fn live(&self, tally: &mut Tally, random: &mut Random) -> Result<()> {
        let mut trial = self.start()?;
        for _ in 0..CALLS {
            match random.below(16) {
                0 => self.tell(&mut trial, tally, random)?,
                // Time goes on, by milliseconds.
                1 | 2 => {
                    for _ in 0..random.below(200) {
                        let outcome = trial.tick(false).context("tick")?;
                        judge(&outcome, &mut trial, tally)?;
                    }
                }
                _ => {
                    let batch: Vec<Packet> = (0..random.below(40)).map(|_| self.packets.any(random)).collect();
                    self.process(&mut trial, &batch, tally)?;
                }
            }
            tally.calls += 1;
        }
        self.hand_over(&mut trial, tally, random)
    }

    fn process(&self, trial: &mut Trial, batch: &[Packet], tally: &mut Tally) -> Result<()> {
        let shown = || batch.iter().map(|packet| hex(&packet.bytes)).collect::<Vec<_>>().join("\n");
        let outcome = trial.process(batch).with_context(|| format!("process, of these packets:\n{}", shown()))?;
        tally.packets += batch.len() as u64;
        judge(&outcome, trial, tally).with_context(|| format!("of these packets:\n{}", shown()))
    }

    /// A message that is nearly one.
    fn tell(&self, trial: &mut Trial, tally: &mut Tally, random: &mut Random) -> Result<()> {
        let known: Vec<Vec<u8>> = self.function.messages.iter().map(|text| text.as_bytes().to_vec()).collect();
        if known.is_empty() {
            return Ok(());
        }
        let message = match random.below(3) {
            0 => known[random.below(known.len())].clone(),
            _ => mutant(&known, random),
        };
        match trial.message(&message) {
            Ok(_) => tally.answered += 1,
            Err(Failure::Refused(_)) => tally.refused += 1,
            Err(other) => bail!("message \"{}\": {other}", message.escape_ascii()),
        }
        Ok(())
    }

    /// What it knows goes to another one, as it is and changed. (Memory that goes over beside that, and packets that wait, are a run's.)
    fn hand_over(&self, trial: &mut Trial, tally: &mut Tally, random: &mut Random) -> Result<()> {
        let saved = match trial.save() {
            Ok(saved) => saved,
            Err(Failure::Refused(_)) => return Ok(()),
            Err(other) => bail!("save: {other}"),
        };
        for round in 0..4 {
            let state = if round == 0 { saved.clone() } else { mutant(std::slice::from_ref(&saved), random) };
            let mut next = self.start()?;
            match next.restore(&state) {
                Ok(()) => tally.taken += 1,
                Err(Failure::Refused(_)) => {
                    tally.untaken += 1;
                    continue;
                }
                Err(other) => bail!("restore of {}: {other}", hex(&state)),
            }
            for _ in 0..8 {
                let batch: Vec<Packet> = (0..32).map(|_| self.packets.any(random)).collect();
                next.process(&batch).with_context(|| format!("process behind a restore of {}", hex(&state)))?;
                next.tick(false).with_context(|| format!("tick behind a restore of {}", hex(&state)))?;
            }
        }
        Ok(())
    }
}

/// Each packet has a fate that the module may give it, nothing was written elsewhere, and it is within its bounds.
fn judge(outcome: &Outcome, trial: &mut Trial, tally: &mut Tally) -> Result<()> {
    for seen in outcome.packets.iter().chain(&outcome.listed) {
        if let Fate::Bad(cause) = seen.fate {
            bail!("the host drops a packet: {cause}");
        }
        *tally.fates.entry(seen.fate.to_string()).or_insert(0) += 1;
    }
    ensure!(outcome.bad_outputs == 0, "{} outputs name nothing", outcome.bad_outputs);
    ensure!(outcome.trespasses.is_empty(), "it writes where it may not: {:?}", outcome.trespasses);
    let (held, (_, memory)) = (trial.held(), trial.memory());
    ensure!(held <= HOLD as usize, "it holds {held} packets");
    ensure!(memory as u64 <= LIMITS.memory, "it has {memory} bytes of memory");
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
