//! `perigee streams`: traffic for those who write no module. A file says what packets there are and when they leave; they are made
//! by the module `stream-gen`.
//!
//! From the ground: values of fields (`value.rs`), stacks of headers (`stack.rs`), the file (`file.rs`), the configuration that is made
//! of it (`plan.rs`); the packets without ports: in which order (`order.rs`), made (`make.rs`), in words (`show.rs`).

mod file;
mod make;
mod module;
mod order;
mod plan;
mod show;
mod stack;
mod value;

use crate::args::StreamsArgs;
use crate::control::name_of;
use crate::{load, output, run};
use anyhow::{Context, Result, bail};
use file::File;
use make::{Departure, Wanted};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{Endianness, TsResolution};
use perigee_runtime::Error;
use perigee_runtime::config::{Config, Port, Problem};
use perigee_runtime::jail::Mode;
use perigee_runtime::trial::Subject;
use perigee_runtime::with_guest_stack;
use plan::Plan;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

pub(crate) use stack::spelt;
#[cfg(test)]
pub(crate) use value::digits;
pub(crate) use value::hex;

/// Packets that are shown, and that are written to a file, where nobody says how many.
const SHOWN: usize = 5;
const WRITTEN: usize = 1_000;
/// Packets that are kept in memory on their way into a file, at most.
const MOST: usize = 10_000_000;

/// `perigee streams`.
pub(crate) fn streams(args: &StreamsArgs) -> Result<ExitCode> {
    let file = File::read(&args.streams)?;
    let module = module::find(args.module.as_deref())?;
    let plan = match Plan::new(&file, &module, &args.ports) {
        Ok(plan) => plan,
        Err(problems) => return Err(refusal(&file, &problems)),
    };
    if args.print || args.pcap.is_some() {
        return without_ports(args, &file, &plan, &module);
    }
    if plan.config.ports.is_empty() {
        let name = plan.made.first().map_or("out", |made| made.port.as_str());
        bail!(
            "{}: there is no port to send on: add --port {name}=DEVICE, or a [[port]] with name and device; --print and --pcap need \
             none",
            args.streams.display()
        );
    }
    tell(&file, &plan, plan.config.problems(&file.base))?;
    let ended = run::session(
        &run::Session { name: &name_of(&args.streams), base: &file.base, text: None },
        plan.config.clone(),
        &args.options,
    );
    ended.map_err(|error| in_file(&file, &plan, error))
}

/// Refuses problems of the configuration at their lines, and tells warnings.
fn tell(file: &File, plan: &Plan, problems: Vec<Problem>) -> Result<()> {
    let warnings = file.refuse(&plan.in_file(problems))?;
    warnings.iter().for_each(|warning| output::line(&warning.to_string()));
    Ok(())
}

/// Problems as an error that names their lines.
fn refusal(file: &File, problems: &[Problem]) -> anyhow::Error {
    match file.refuse(problems) {
        Err(error) => error.into(),
        Ok(_) => anyhow::anyhow!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// An error of the run with its line, where it is about something in the file.
fn in_file(file: &File, plan: &Plan, error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Error>() {
        Some(Error::Config { problems }) => refusal(file, &plan.in_file(problems.clone())),
        Some(Error::Module { name, what }) => match plan.refused(name, what) {
            Some(problem) => refusal(file, &[problem]),
            None => error,
        },
        _ => error,
    }
}

/// `--print` and `--pcap`.
fn without_ports(args: &StreamsArgs, file: &File, plan: &Plan, module: &Path) -> Result<ExitCode> {
    let problems = portless(plan).validate();
    tell(file, plan, problems)?;
    // The jail leaves no way to files that are not open.
    let to = args.pcap.as_deref().map(output::Output::open).transpose()?;
    let count = args.count.unwrap_or(if to.is_some() { WRITTEN } else { SHOWN });
    if count > MOST {
        bail!("--count {count}: at most {MOST} packets are written");
    }
    let wanted = Wanted { count, until: args.options.duration, link: args.link };
    let mut config = plan.config.clone();
    load::apply(&args.options.load, &mut config)?;
    let loader = load::options(&args.options.load)?.loader(&config.load, &file.base)?;
    let upload = loader.read(module)?;
    let mode = args.options.jail.map(Mode::from).or(config.run.jail).unwrap_or(Mode::On);
    let made = perigee_runtime::confined(mode, || {
        let subject = Subject::by(&loader, "stream-gen", &upload)?;
        with_guest_stack(|| make::departures(plan, &file.base, &subject, wanted))?
    })?;
    let departures = made.map_err(|error| in_file(file, plan, error))?;
    if args.print {
        let shown = if args.count.is_some() { count } else { SHOWN };
        let packets = departures.iter().take(shown).enumerate();
        let packets: String = packets.map(|(index, departure)| show::packet(plan, index + 1, departure)).collect();
        output::result(&format!("{}{packets}", show::streams(plan)))?;
    }
    if let Some(to) = to {
        to.write(&capture(&departures)?)?;
        if !args.options.quiet {
            output::line(&told(args, &departures));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What was written.
fn told(args: &StreamsArgs, departures: &[Departure]) -> String {
    let file = args.pcap.as_deref().unwrap_or(Path::new("")).display();
    let last = Duration::from_nanos(departures.last().map_or(0, |departure| departure.at));
    format!("{file}: {} packets, the last at {:.9} s", departures.len(), last.as_secs_f64())
}

/// The configuration with ports that are everywhere: nothing is asked of this machine.
fn portless(plan: &Plan) -> Config {
    let mut config = plan.config.clone();
    for made in &plan.made {
        if !config.ports.iter().any(|port| port.name == made.port) {
            config.ports.push(Port::new(&made.port, ""));
        }
    }
    for (number, port) in config.ports.iter_mut().enumerate() {
        port.device = format!("net_null{number}");
    }
    config
}

/// A capture with nanoseconds, which count from the run's beginning.
fn capture(departures: &[Departure]) -> Result<Vec<u8>> {
    let (ts_resolution, endianness) = (TsResolution::NanoSecond, Endianness::native());
    let header = PcapHeader { ts_resolution, endianness, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(Vec::new(), header).context("the capture's header")?;
    for Departure { at, bytes, .. } in departures {
        let packet = PcapPacket::new(Duration::from_nanos(*at), u32::try_from(bytes.len())?, bytes);
        writer.write_packet(&packet).context("the capture")?;
    }
    Ok(writer.into_writer())
}
