//! `perigee replay`: a recorded failure, shown again.

use crate::load::LoadOptions;
use crate::{load, output};
use anyhow::Result;
use perigee_runtime::config::Load;
use perigee_runtime::jail::Mode;
use perigee_runtime::{Recording, Replay, Verdict};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

/// Replays a bundle, and tells what came of it.
pub(crate) fn replay(bundle: &Path, until: Option<usize>, core: Option<&Path>, mode: Mode) -> Result<ExitCode> {
    // The jail leaves no way to files that are not open, nor to a compile server that does not run.
    let recording = Recording::read(bundle)?;
    let core = core.map(output::Output::open).transpose()?;
    let loader = load::options(&LoadOptions::default())?.loader(&Load::default(), Path::new(""))?;
    let replay = perigee_runtime::confined(mode, || recording.replay(until, &loader))??;
    if let Some(core) = core {
        core.write(&replay.core)?;
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
    match &replay.verdict {
        Verdict::Same => line("The same trap, bit by bit: class, backtrace, memory, and the packets' rooms."),
        Verdict::SameDeadline => line(
            "The deadline passes in the same call. Where in it the call is ended depends on the time, so the backtrace below is \
             where the replay stood, and memory is not compared.",
        ),
        Verdict::Stopped => line("Stopped before the trap, as --until said."),
        Verdict::Differs(differences) => {
            line("Not the same:");
            differences.iter().for_each(|words| line(&format!("  {words}")));
            line("docs/evidence.md, \"What a recording does not have\", says where that may come from.");
        }
    }
    line(&format!("\nmodule {}: {} of {} recorded calls made", replay.module, replay.made, replay.calls));
    line(&format!("\nIn the run:\n{}", replay.recorded));
    match &replay.replayed {
        Some(trap) => line(&format!("In the replay:\n{trap}")),
        None => line("In the replay: no trap so far\n"),
    }
    if !replay.log.is_empty() {
        line("What the module wrote to its log last:");
        replay.log.iter().for_each(|words| line(&format!("  {words}")));
        line("");
    }
    line("The last call:");
    replay.last_call.iter().for_each(|words| line(&format!("  {words}")));
    text
}
