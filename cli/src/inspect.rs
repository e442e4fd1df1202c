//! `perigee inspect`: what is in a module.

use crate::args::JsonOption;
use crate::output;
use crate::table::{bytes, count};
use anyhow::Result;
use perigee_runtime::{Limits, ModuleInfo};
use std::path::Path;
use std::process::ExitCode;

/// The most that any configuration can grant: what is looked at here shall not be refused for its size.
const UNLIMITED: Limits = Limits { memory: 4 << 30, deadline: std::time::Duration::from_secs(10), table: 1 << 20 };

/// `perigee inspect`.
pub(crate) fn inspect(module: &Path, json: &JsonOption) -> Result<ExitCode> {
    let info = perigee_runtime::inspect(module, UNLIMITED)?;
    if output::json(&info, json)? {
        output::result(&text(&info))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The facts, one to a line.
pub(crate) fn text(info: &ModuleInfo) -> String {
    let numbers = &info.numbers;
    let most =
        info.memory_max.map_or_else(|| "no maximum of its own".to_owned(), |most| format!("at most {}", bytes(most)));
    let mailbox = match numbers.mailbox_len {
        0 => "none".to_owned(),
        len => format!("{} at {:#x}", bytes(len.into()), numbers.mailbox),
    };
    let window = format!(
        "{} at {:#x}, of which {} take packets",
        bytes(numbers.window_len.into()),
        numbers.window,
        bytes(info.window_usable.into())
    );
    let state =
        if numbers.state_version == 0 { "none".to_owned() } else { format!("version {}", numbers.state_version) };
    let facts = [
        ("module", info.name.clone()),
        ("size", format!("{} bytes", count(u64::try_from(info.size).unwrap_or(u64::MAX)))),
        ("ABI version", numbers.abi.to_string()),
        ("callbacks", info.callbacks.join(", ")),
        ("memory", format!("{} at the start, {most}", bytes(info.memory_min))),
        ("window", window),
        ("batch area", format!("{:#x}", numbers.batch)),
        ("mailbox", mailbox),
        ("spare rooms", numbers.spares.to_string()),
        ("state", state),
    ];
    let mut text: String = facts.iter().map(|(name, value)| format!("{name:<12} {value}\n")).collect();
    for (name, list) in [("exports", &info.exports), ("imports", &info.imports)] {
        text += &if list.is_empty() { format!("{name:<12} none\n") } else { format!("{name}\n") };
        text.extend(list.iter().map(|item| format!("  {item}\n")));
    }
    text
}
