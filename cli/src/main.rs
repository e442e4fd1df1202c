//! The `perigee` command: from the command line to a configuration, to a run, to numbers that people and programs read.
//!
//! Each command is a module. Errors become text here and nowhere else.

mod args;
mod attendants;
mod calibrate;
mod capture;
mod check;
mod client;
mod clocks;
mod conformance;
mod control;
mod convert;
mod ctl;
mod dissect;
mod doctor;
mod find;
mod history;
mod inspect;
mod intervals;
mod jail;
mod live;
mod load;
mod log;
mod manual;
mod module_config;
mod new;
mod output;
mod paced;
mod pci;
mod plot;
mod ports;
mod profile;
mod provenance;
mod rates;
mod read;
mod ready;
mod replay;
mod rerun;
mod routes;
mod run;
mod short;
mod signals;
mod sim;
mod streams;
mod summary;
mod supervisor;
mod table;
mod terminal;
mod top;
mod view;
mod web;

use anyhow::Result;
use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use perigee_runtime::config::ConfigError;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A failure to print help or a usage error has nobody left to be told.
            let _ = error.print();
            // clap's own code for wrong usage is 2, which here speaks of a failed module.
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let code = match log::start(cli.log.as_deref()).and_then(|()| command(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            // A configuration's messages begin with file and line, where editors look for them.
            match error.downcast_ref::<ConfigError>() {
                Some(error) => output::line(&error.to_string()),
                None => output::error(&format!("{error:#}")),
            }
            ExitCode::from(1)
        }
    };
    view::finish();
    code
}

/// Does something until it is done, or a signal asks it to stop.
fn until_asked(work: impl FnOnce(&dyn Fn() -> bool) -> Result<ExitCode>) -> Result<ExitCode> {
    let signal = signals::StopSignal::listen()?;
    work(&|| signal.is_asked())
}

fn command(command: Command) -> Result<ExitCode> {
    match command {
        Command::Sim(args) => sim::sim(&args),
        Command::Run { config, options } => run::run(&config, &options),
        Command::Streams(args) => streams::streams(&args),
        Command::Convert(args) => convert::convert(&args.file, args.output.as_deref()),
        Command::Rerun(args) => rerun::rerun(&args),
        Command::Plot(args) => plot::plot(&args),
        Command::Dissect(args) => dissect::dissect(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Gen { module, port, pace, options } => short::generate(&module, &port, &pace, &options),
        Command::Forward { module, ports, options } => short::forward(&module, &ports, &options),
        Command::Check { file, load, jail } => check::check(&file, &load, jail.mode()),
        Command::Inspect { module, load, json, jail } => inspect::inspect(&module, &load, &json, jail.mode()),
        Command::Conformance { module, suites, config, secrets, measure, verbose, json, jail } => {
            let config = config.read()?.map(|config| config.bytes()).unwrap_or_default();
            let secrets = module_config::read_secrets(&secrets)?;
            let (module, suites, json, jail) = (&module, &suites, &json, jail.mode());
            conformance::conformance(&conformance::Asked {
                module,
                suites,
                config,
                secrets,
                measure,
                verbose,
                json,
                jail,
            })
        }
        Command::New { name, language, kind, path, sdk } => {
            let (path, sdk) = (path.as_deref(), sdk.as_deref());
            new::new(&new::Asked { name: &name, language, kind, path, sdk })
        }
        Command::Ports { ports, json } => ports::ports(&ports, &json),
        Command::Clocks(args) => clocks::clocks(&args),
        Command::Doctor { json } => doctor::doctor(&json),
        Command::Key(command) => provenance::key(command),
        Command::Sign(options) => provenance::sign(&options),
        Command::Verify(options) => provenance::verify(&options),
        Command::CompileServer => Ok(perigee_runtime::load::serve().map(|()| ExitCode::SUCCESS)?),
        Command::Replay { bundle, until, core, jail } => replay::replay(&bundle, until, core.as_deref(), jail.mode()),
        Command::Ctl(args) => ctl::ctl(args),
        Command::Top(args) => top::top(&args),
        Command::Web(args) => web::web(&args),
        Command::Routes(args) => routes::routes(&args),
        Command::CaptureWriter => capture::writer(),
        Command::TriggerWriter => history::writer(),
        Command::Capture(args) => until_asked(|is_over| capture::capture(&args, is_over)),
        Command::History(args) => until_asked(|is_over| history::history(&args, is_over)),
        Command::Find(args) => until_asked(|is_over| find::find(&args, is_over)),
        Command::Trigger(args) => until_asked(|is_over| history::trigger(&args, is_over)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "perigee", &mut script);
            output::result(&String::from_utf8_lossy(&script)).map(|()| ExitCode::SUCCESS)
        }
        Command::ManPages { directory } => manual::write(Cli::command(), &directory).map(|()| ExitCode::SUCCESS),
    }
}
