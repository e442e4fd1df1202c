//! `perigee inspect`: what is in a module.

use crate::load::LoadOptions;
use crate::output::JsonOption;
use crate::table::{bytes, count};
use crate::{load, output};
use anyhow::Result;
use perigee_runtime::ModuleInfo;
use perigee_runtime::Origin;
use perigee_runtime::config::Module;
use perigee_runtime::jail::Mode;
use std::path::Path;
use std::process::ExitCode;

/// `perigee inspect`.
pub(crate) fn inspect(module: &Path, args: &LoadOptions, json: &JsonOption, mode: Mode) -> Result<ExitCode> {
    // The jail leaves no way to files that are not open.
    let result = output::Json::open(json)?;
    // The most that any configuration can grant: what is looked at here shall not be refused for its size.
    let mut entry = Module::new(&load::stem(module), "");
    // Under a policy they are the least, so that the policy decides about the module and not about what we wish to see.
    if args.policy.is_none() {
        entry.grants.memory = 4 << 30;
        entry.grants.deadline = std::time::Duration::from_secs(10);
        entry.grants.table = 1 << 20;
    }
    let info = load::inspect(module, entry, args, mode)?;
    if result.write(&info)? {
        output::result(&text(&info))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Who vouches for it, as far as somebody has looked.
fn signed(origin: &Origin) -> String {
    match (&origin.policy, &origin.key, origin.version) {
        (None, ..) => "not verified: no policy, or none that speaks of it".to_owned(),
        (Some(entry), None, _) => format!("listed by its digest as {entry:?}"),
        (Some(entry), Some(key), Some(version)) => format!("by {entry:?}, key {key}, version {version}"),
        (Some(entry), Some(key), None) => format!("by {entry:?}, key {key}, without a version"),
    }
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
        ("size", format!("{} bytes", count(info.size))),
        ("sha256", info.origin.sha256.clone()),
        ("signed", signed(&info.origin)),
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
