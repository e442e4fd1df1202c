//! From a file of streams to the configuration of a run: for each stream a generator with an instance of `stream-gen`.

use super::file::{File, Template, Traffic};
use super::stack::{packet, problem};
use super::value;
use perigee_runtime::config::stream::Pattern;
use perigee_runtime::config::{
    Chain, Config, Grants, Hostcall, Module, ModuleConfig, Port, Problem, Source, allowed_cpus, closest,
};
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// Longest template that the module takes; packets become longer by `sizes`.
const TEMPLATE_MAX: u16 = 1536;

/// TOML has no larger numbers.
const SEED_BITS: u64 = u64::MAX >> 1;

/// What is to run.
pub(crate) struct Plan {
    /// The configuration of the run.
    pub(super) config: Config,
    /// What was made of the streams.
    pub(super) made: Vec<Made>,
    /// Modules and chains that the file itself has: those of the streams are behind them.
    own: (usize, usize),
}

/// A stream whose packets `stream-gen` makes.
pub(crate) struct Made {
    /// Its number among the streams of the configuration.
    pub(super) stream: usize,
    /// The templates of its packets: one, or those of a mix with their weights.
    pub(super) templates: Vec<Packets>,
    /// The port that they leave by.
    pub(super) port: String,
    /// What its instance is configured with.
    pub(super) settings: Table,
}

/// Packets of one template.
pub(crate) struct Packets {
    pub(super) template: Vec<u8>,
    pub(super) sizes: Option<Value>,
    pub(super) vary: Vec<Value>,
    pub(super) weight: Option<u32>,
}

impl Plan {
    /// Makes one: with the module's file, and with the ports of the command line beside or in place of the file's.
    ///
    /// # Errors
    /// All that is wrong with what the streams say of their packets.
    pub(crate) fn new(file: &File, module: &Path, ports: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        let mut config = file.config.clone();
        let own = (config.modules.len(), config.chains.len());
        for (name, device) in ports {
            match config.ports.iter_mut().find(|port| port.name == *name) {
                Some(port) => port.device.clone_from(device),
                None => config.ports.push(Port::new(name, device)),
            }
        }
        let (mut made, mut problems) = (Vec::new(), Vec::new());
        if file.traffic.is_empty() {
            let help = "as in [[stream]] with name, headers and rate";
            problems.push(problem(String::new(), "there is no stream in it".to_owned(), help));
        }
        for (stream, traffic) in file.traffic.iter().enumerate() {
            let Some(traffic) = traffic else { continue };
            match one(stream, traffic, &config) {
                Ok(one) => made.push(one),
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        for one in &made {
            let traffic = file.traffic[one.stream].as_ref();
            let lcores = traffic.map(|traffic| traffic.lcores.clone()).unwrap_or_default();
            add(&mut config, one, lcores, module);
        }
        together(&mut config, &made, own.1);
        Ok(Self { config, made, own })
    }

    /// The name of a stream.
    pub(super) fn name(&self, made: &Made) -> &str {
        &self.config.streams[made.stream].name
    }

    /// Problems of the configuration, as problems of the file: what the streams' modules and chains have is written in the
    /// streams' tables.
    pub(super) fn in_file(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        for problem in &mut problems {
            for (table, own) in [("module", self.own.0), ("chain", self.own.1)] {
                let Some((number, rest)) = entry(&problem.path, table) else { continue };
                let Some(made) = number.checked_sub(own).and_then(|number| self.made.get(number)) else { continue };
                let rest = if rest.starts_with(".tx") { ".port" } else { rest };
                problem.path = format!("stream[{}]{rest}", made.stream);
                break;
            }
        }
        problems
    }

    /// What a module's refusal says, as a problem of the file: `vary[0]: field: ...` is about a key.
    pub(super) fn refused(&self, module: &str, what: &str) -> Option<Problem> {
        let made = self.made.iter().find(|made| self.name(made) == module)?;
        let what = what.strip_prefix("init refused: ").unwrap_or(what);
        let said = ["packet: ", "vary", "sizes", "streams[", "fill: ", "checksums: ", "port: "];
        let start = said.iter().filter_map(|key| what.find(key)).min().unwrap_or(what.len());
        let path: String = what[start..].split(": ").map_while(key).fold(String::new(), |path, key| path + "." + key);
        let what = format!("stream {module:?}: {what}");
        Some(problem(format!("stream[{}]{path}", made.stream), what, ""))
    }
}

/// A step of a path: `vary[0]`, `field`.
fn key(text: &str) -> Option<&str> {
    let (name, index) = text.split_once('[').unwrap_or((text, "0]"));
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_name && index.strip_suffix(']')?.parse::<usize>().is_ok()).then_some(text)
}

/// The number and the rest of a path that begins with an entry of this table.
fn entry<'p>(path: &'p str, table: &str) -> Option<(usize, &'p str)> {
    let (number, rest) = path.strip_prefix(table)?.strip_prefix('[')?.split_once(']')?;
    Some((number.parse().ok()?, rest))
}

/// What a stream's table says of its packets.
fn one(stream: usize, traffic: &Traffic, config: &Config) -> Result<Made, Vec<Problem>> {
    let path = format!("stream[{stream}]");
    let mut problems = Vec::new();
    let port = port(traffic, config, &path).map_err(|found| problems.push(found)).unwrap_or_default();
    if traffic.queue.is_some_and(|queue| queue != 0) {
        let help = "streams that run on one lcore share its tx queue; `lcores = [3]` gives a stream another lcore's";
        problems.push(problem(format!("{path}.queue"), "a tx queue has no number of its own".to_owned(), help));
    }
    if config.streams[stream].pattern == Pattern::Module {
        let help = "leave `pattern` away, or take another one: it is for modules that say when their packets leave";
        problems.push(problem(
            format!("{path}.pattern"),
            "stream-gen does not say when packets leave".to_owned(),
            help,
        ));
    }
    let alone = traffic.template();
    let mixed = traffic.streams.as_ref();
    if alone.is_some() == mixed.is_some() {
        let what = format!(
            "stream {:?}: {}",
            traffic.name,
            if mixed.is_some() {
                "what `streams` mixes stands in its tables"
            } else {
                "nothing says what its packets are"
            }
        );
        let help =
            "it has `headers` (or `packet`), with payload, size, sizes and vary, or `streams` with several of these";
        problems.push(problem(path.clone(), what, help));
        return Err(problems);
    }
    let mut templates = Vec::new();
    let all = alone
        .into_iter()
        .map(|alone| (alone, path.clone()))
        .chain(mixed.into_iter().flatten().enumerate().map(|(i, each)| (each.clone(), format!("{path}.streams[{i}]"))));
    for (template, path) in all {
        match packets(&template, &path) {
            Ok(packets) => templates.push(packets),
            Err(found) => problems.push(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let settings = settings(traffic, &templates, config.run.seed);
    Ok(Made { stream, templates, port, settings })
}

/// The port that a stream leaves by.
fn port(traffic: &Traffic, config: &Config, path: &str) -> Result<String, Problem> {
    let names = || config.ports.iter().map(|port| port.name.as_str());
    let who = format!("stream {:?}", traffic.name);
    let known = names().collect::<Vec<_>>().join(", ");
    match (&traffic.port, names().next()) {
        (Some(name), Some(_)) if !names().any(|known| known == name) => {
            let meant = closest(name, names()).map(|meant| format!("did you mean {meant:?}? ")).unwrap_or_default();
            let help = format!("{meant}known ports: {known}; --port {name}=DEVICE adds one");
            Err(problem(format!("{path}.port"), format!("{who}: unknown port {name:?}"), &help))
        }
        (Some(name), _) => Ok(name.clone()),
        (None, Some(only)) if config.ports.len() == 1 => Ok(only.to_owned()),
        (None, Some(_)) => {
            Err(problem(path.to_owned(), format!("{who} says no `port`"), &format!("known ports: {known}")))
        }
        (None, None) => Ok("out".to_owned()),
    }
}

/// The packets of a template.
fn packets(asked: &Template, path: &str) -> Result<Packets, Problem> {
    let wrong = |key: &str, what: &str, help: &str| Err(problem(format!("{path}.{key}"), what.to_owned(), help));
    let payload = payload(asked, path)?;
    let mut template = match (&asked.headers, &asked.packet) {
        (Some(_), Some(_)) => {
            return wrong("packet", "both `headers` and `packet` say what the packets are", "one is enough");
        }
        (None, None) => return wrong("headers", "no `headers`", "as in headers = [ \"ethernet\", \"ipv4\", \"udp\" ]"),
        (None, Some(text)) => {
            if asked.payload.is_some() || asked.size.is_some() {
                return wrong(
                    "packet",
                    "`packet` is all of it: it takes neither `payload` nor `size`",
                    "`sizes` varies its length",
                );
            }
            match value::digits(text) {
                Some(bytes) if bytes.len() >= 14 => bytes,
                _ => return wrong("packet", "a packet is pairs of hexadecimal digits, 14 bytes at least", ""),
            }
        }
        (Some(headers), None) => packet(headers, &sized(headers, payload, asked, path)?, &format!("{path}.headers"))?,
    };
    let mut sizes = asked.sizes.clone();
    if let Some(size) = asked.size.filter(|size| *size > TEMPLATE_MAX) {
        if sizes.is_some() {
            return wrong("size", "both `size` and `sizes`, and the size is more than 1536", "leave `size` away");
        }
        sizes = Some(
            Table::from_iter([("from", size), ("to", size)].map(|(key, size)| (key.into(), i64::from(size).into())))
                .into(),
        );
    }
    if template.len() > usize::from(TEMPLATE_MAX) {
        return wrong(
            "payload",
            "headers and payload are more than 1536 bytes",
            "`size` and `sizes` make packets longer, by zeros",
        );
    }
    template.shrink_to_fit();
    Ok(Packets { template, sizes, vary: asked.vary.clone().unwrap_or_default(), weight: asked.weight })
}

fn payload(asked: &Template, path: &str) -> Result<Vec<u8>, Problem> {
    let text = |value: &Value| Some(value.as_table()?.get("text")?.as_str()?.as_bytes().to_vec());
    match &asked.payload {
        None => Ok(Vec::new()),
        Some(value) => value.as_str().and_then(value::digits).or_else(|| text(value)).ok_or_else(|| {
            let help = "as in payload = \"70 65 72\", or payload = { text = \"perigee\" }";
            problem(format!("{path}.payload"), "a payload is bytes in hexadecimal digits, or a text".to_owned(), help)
        }),
    }
}

/// The payload with the zeros that bring the packet to its size.
fn sized(headers: &[Value], mut payload: Vec<u8>, asked: &Template, path: &str) -> Result<Vec<u8>, Problem> {
    let Some(size) = asked.size.filter(|size| *size <= TEMPLATE_MAX) else { return Ok(payload) };
    let bare = packet(headers, &payload, &format!("{path}.headers"))?.len();
    let Some(more) = usize::from(size).checked_sub(bare) else {
        let what = format!("size is {size}, and headers and payload have {bare} bytes");
        return Err(problem(format!("{path}.size"), what, "sizes are without frame check sequence"));
    };
    payload.resize(payload.len() + more, 0);
    Ok(payload)
}

/// The module's configuration: the keys of `stream-gen`.
fn settings(traffic: &Traffic, templates: &[Packets], run: u64) -> Table {
    let each = |packets: &Packets| {
        let mut table = Table::new();
        table.insert("packet".into(), value::hex(&packets.template).into());
        table.extend(packets.sizes.iter().map(|sizes| ("sizes".to_owned(), sizes.clone())));
        if !packets.vary.is_empty() {
            table.insert("vary".into(), packets.vary.clone().into());
        }
        table.extend(packets.weight.map(|weight| ("weight".to_owned(), i64::from(weight).into())));
        table
    };
    let mut table = match (&traffic.streams, templates) {
        (None, [only]) => each(only),
        _ => Table::from_iter([("streams".to_owned(), templates.iter().map(each).collect::<Vec<_>>().into())]),
    };
    for (key, text) in [("checksums", &traffic.checksums), ("fill", &traffic.fill)] {
        table.extend(text.iter().map(|text| (key.to_owned(), text.as_str().into())));
    }
    // Said in any case, so that the packets that are shown are those of a run.
    let seed = traffic.seed.unwrap_or_else(|| perigee_pace::seed(run, &traffic.name));
    table.insert("seed".into(), i64::try_from(seed & SEED_BITS).unwrap_or(0).into());
    table
}

/// Streams that leave by one port and name no CPU run on one lcore, for each lcore that sends costs the port a tx queue. It is the one
/// that the first of them would have if the others were not there.
fn together(config: &mut Config, made: &[Made], own: usize) {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (chain, made) in (own..).zip(made) {
        if config.chains[chain].lcores.is_empty() {
            groups.entry(&made.port).or_default().push(chain);
        }
    }
    for members in groups.values() {
        let mut alone = config.clone();
        let is_here = |number: usize, chain: &Chain| number < own || !chain.lcores.is_empty();
        let others = config.chains.iter().enumerate().filter(|(number, chain)| is_here(*number, chain));
        alone.chains = others.map(|(_, chain)| chain).chain([&config.chains[members[0]]]).cloned().collect();
        let lcore = alone.placement(&allowed_cpus()).last().map_or(0, |placed| placed.lcore);
        members.iter().for_each(|&chain| config.chains[chain].lcores.push(lcore));
    }
}

/// Adds a stream's module and chain.
fn add(config: &mut Config, made: &Made, lcores: Vec<u32>, file: &Path) {
    let name = config.streams[made.stream].name.clone();
    let mut module = Module::new(&name, &file.to_string_lossy());
    module.signed_as = Some("stream-gen".to_owned());
    module.grants = Grants { hostcalls: vec![Hostcall::Log, Hostcall::Counter], ..Grants::default() };
    module.config = Some(ModuleConfig::Table(made.settings.clone()));
    config.modules.push(module);
    let mut chain = Chain::new(&name, Source::Module { module: name.clone(), pool: None });
    chain.lcores = lcores;
    chain.tx.push(made.port.clone());
    config.chains.push(chain);
}
