//! Checks of what a run waits for in its histories.

use super::Problems;
use crate::Config;
use crate::trigger::Trigger;

pub(super) fn triggers(config: &Config, found: &mut Problems) {
    found.names("trigger", config.triggers.iter().map(|trigger| &*trigger.name));
    for (index, trigger) in config.triggers.iter().enumerate() {
        let (path, who) = (format!("trigger[{index}]"), format!("trigger {:?}", trigger.name));
        let histories: Vec<&str> = config.histories.iter().map(|history| &*history.name).collect();
        found.known(format!("{path}.history"), &who, "history", &trigger.history, &histories);
        let mut wrong = |key: &str, what: &str, help: &str| {
            found.error(format!("{path}.{key}"), format!("{who}: {what}"), help);
        };
        if trigger.into.is_empty() {
            wrong("into", "it has no folder", "name one for its dumps, as \"dumps\"");
        }
        if config.triggers[..index].iter().any(|other| other.into == trigger.into) {
            wrong("into", "two triggers write there", "give each a folder of its own");
        }
        if trigger.kinds() != 1 {
            wrong("name", "it waits for nothing, or for several things", "give it one of filter, module, burst, fault");
        }
        if trigger.per_minute == 0 || trigger.most_bytes == 0 {
            wrong(
                "name",
                "0 dumps or bytes are none",
                "take 1 or more of per_minute and most_bytes, or leave them out",
            );
        }
        module(config, trigger, &path, &who, found);
    }
}

/// Its module sees packets of whichever domains pass the history's points: that is to be granted.
fn module(config: &Config, trigger: &Trigger, path: &str, who: &str, found: &mut Problems) {
    let Some(name) = &trigger.module else { return };
    let modules: Vec<&str> = config.modules.iter().map(|module| &*module.name).collect();
    found.known(format!("{path}.module"), who, "module", name, &modules);
    let Some(module) = config.module(name).map(|number| &config.modules[number]) else { return };
    if !module.secrets.is_empty() {
        let what = format!("{who}: module {name:?} has secrets, which a trigger's module cannot have");
        found.error(format!("{path}.module"), what, "take them out");
    }
    if !module.grants.history.contains(&trigger.history) {
        let history = &trigger.history;
        found.error(
            format!("{path}.module"),
            format!("{who}: module {name:?} is not granted the history {history:?}"),
            format!("it would see all packets of its points: grants = {{ history = [{history:?}] }} allows that"),
        );
    }
}
