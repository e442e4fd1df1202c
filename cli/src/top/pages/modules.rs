//! Modules, a row for each instance, and in their details what they count, how they have failed, and what they may do.

use super::{Details, Page, plain, us};
use crate::table::count;
use crate::top::grid::{Column, Row, number, words};
use crate::top::look::Tone;
use crate::top::model::Model;
use perigee_runtime::ModuleState;
use serde_json::Value;

/// The page.
pub(super) struct Modules;

const COLUMNS: [Column; 9] = [
    words("state", 12),
    number("faults", 7),
    words("chain", 12),
    number("lcore", 5),
    number("cyc/packet", 10),
    number("p50 us", 9),
    number("p99 us", 9),
    number("installs", 8),
    number("denied", 9),
];

impl Page for Modules {
    fn title(&self) -> &'static str {
        "modules"
    }

    fn first(&self) -> &'static str {
        "module"
    }

    fn columns(&self) -> &'static [Column] {
        &COLUMNS
    }

    fn len(&self, model: &Model) -> usize {
        model.now.modules.len()
    }

    fn row<'a>(&self, model: &'a Model, at: usize) -> Row<'a> {
        let module = &model.now.modules[at];
        let chain = model.chain_of(&module.chain, module.lcore);
        let time = chain.map(|chain| &model.now.chains[chain].batch_time);
        let of_chain = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), us);
        let faults: u64 = module.faults.values().sum();
        Row {
            name: plain(&module.name),
            cells: vec![
                module.state.name().to_owned(),
                count(faults),
                plain(&module.chain),
                module.lcore.to_string(),
                chain.map_or_else(|| "-".to_owned(), |chain| model.chain(chain).cycles()),
                of_chain(time.map(|time| time.p50_ns)),
                of_chain(time.map(|time| time.p99_ns)),
                count(module.installs),
                count(module.hostcalls_denied),
            ],
            tone: match module.state {
                ModuleState::Running if faults > 0 => Tone::Warn,
                ModuleState::Running => Tone::Plain,
                _ => Tone::Bad,
            },
            ..Row::default()
        }
    }

    fn details(&self, model: &Model, at: usize) -> Details {
        let module = &model.now.modules[at];
        let mut told = Details::default();
        told.text("runs in", format!("chain {} on lcore {}", module.chain, module.lcore));
        let again = module.restart_in_ns.map(|ns| format!("; a new instance comes in {} ms", ns / 1_000_000));
        told.text("state", format!("{}{}", module.state.name(), again.unwrap_or_default()));
        told.text("failed", module.failed.as_deref().unwrap_or_default());
        told.text("last fault", module.last_fault.as_deref().unwrap_or_default());
        for (class, number) in &module.faults {
            told.count(&format!("faults: {class}"), *number);
        }
        if let Some(chain) = model.chain_of(&module.chain, module.lcore) {
            let time = &model.now.chains[chain].batch_time;
            told.text("its chain: cycles by packet", model.chain(chain).cycles());
            told.text("its chain: of which", model.chain(chain).phases());
            let [p50, p99] = [time.p50_ns, time.p99_ns].map(us);
            told.text("its chain: polls with packets", format!("p50 {p50} us, p99 {p99} us"));
        }
        for (name, value) in &module.counters {
            told.grows(&format!("counts {name}"), *value, model.counter(at, name), model.window());
        }
        told.counts(&[
            ("installs", module.installs),
            ("log lines lost", module.log_lost),
            ("hostcalls denied", module.hostcalls_denied),
            ("told other modules", module.told),
            ("could not tell", module.tell_full),
            ("heard of other modules", module.heard),
            ("refused to hear", module.hear_refused),
        ]);
        if let Some(known) = model.allowed(&module.name) {
            allowed(&mut told, known);
        }
        told.text("digest (SHA-256)", &module.origin.sha256);
        told.text("signed by key", module.origin.key.as_deref().unwrap_or_default());
        told
    }

    fn empty(&self) -> &'static str {
        "no modules"
    }
}

/// Where it comes from and what it may do, as `GET /v1/modules` says it.
fn allowed(told: &mut Details, known: &Value) {
    told.text("file", known["file"].as_str().unwrap_or_default());
    told.text("trust domain", known["domain"].as_str().unwrap_or_default());
    for (name, value) in known["grants"].as_object().into_iter().flatten() {
        let is_nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(all) => all.is_empty(),
            _ => false,
        };
        if !is_nothing {
            // A text without its quotation marks; all else as JSON has it.
            told.text(&format!("grant {name}"), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
}
