//! `perigee replay`: a recorded failure, shown again.

use crate::output;
use anyhow::{Context, Result};
use perigee_runtime::{Replay, Verdict};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

/// Replays a bundle, and tells what came of it.
pub(crate) fn replay(bundle: &Path, until: Option<usize>, core: Option<&Path>) -> Result<ExitCode> {
    let replay = Replay::run(bundle, until)?;
    if let Some(core) = core {
        std::fs::write(core, &replay.core).with_context(|| format!("cannot write {}", core.display()))?;
    }
    output::result(&text(&replay))?;
    Ok(ExitCode::from(match replay.verdict {
        Verdict::Same | Verdict::SameDeadline | Verdict::Stopped => 0,
        Verdict::Differs(_) => 2,
    }))
}

fn text(replay: &Replay) -> String {
    let mut text = String::new();
    let mut line = |words: &str| {
        // Writing into a text does not fail.
        let _ = writeln!(text, "{words}");
    };
    line(&format!("module {}: {} of {} recorded calls made", replay.module, replay.made, replay.calls));
    line("\nThe last call:");
    replay.last_call.iter().for_each(|words| line(&format!("  {words}")));
    line(&format!("\nIn the run:\n{}", replay.recorded));
    match &replay.replayed {
        Some(trap) => line(&format!("In the replay:\n{trap}")),
        None => line("In the replay: no trap so far\n"),
    }
    match &replay.verdict {
        Verdict::Same => line("The same trap, bit by bit: class, backtrace, memory, and the packets' rooms."),
        Verdict::SameDeadline => line(
            "The deadline passes in the same call. Where in it the call is ended depends on the time, so the backtrace above is \
             where the replay stood, and memory is not compared.",
        ),
        Verdict::Stopped => line("Stopped before the trap, as --until said."),
        Verdict::Differs(differences) => {
            line("Not the same:");
            differences.iter().for_each(|words| line(&format!("  {words}")));
            line("docs/evidence.md, \"What a recording does not have\", says where that may come from.");
        }
    }
    text
}
