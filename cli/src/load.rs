//! How the commands load modules: in a compile server, which is this program again, and under a policy where one is given.

use anyhow::{Context, Result};
use clap::{Args, ValueHint};
use perigee_runtime::config::{Config, Directory, Module};
use perigee_runtime::jail::Mode;
use perigee_runtime::load::Compiler;
use perigee_runtime::{ModuleInfo, Options};
use std::path::{Path, PathBuf};

/// How modules are loaded.
#[derive(Args, Debug, Default)]
pub(crate) struct LoadOptions {
    /// The policy: which modules may be loaded, by key or digest. Goes before the configuration's.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,
    /// Where compiled code is kept: a directory, auto, or off. Goes before the configuration's.
    #[arg(long, value_name = "DIR|auto|off", value_hint = ValueHint::DirPath)]
    pub(crate) cache: Option<String>,
    /// Accept signed modules of an older version than was loaded before, and forget the newer one.
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
    /// Compile in this process, without limits of time and memory: for debugging.
    #[arg(long)]
    pub(crate) compile_in_process: bool,
}

/// The hidden command that the compile server is started with.
pub(crate) const SERVE: &str = "compile-server";

/// What the command line says of loading goes before the configuration.
pub(crate) fn apply(args: &LoadOptions, config: &mut Config) -> Result<()> {
    // Paths on the command line start from the working directory, those in the file from the file's.
    let text = |path: &Path| -> Result<String> {
        let path = std::path::absolute(path).with_context(|| path.display().to_string())?;
        Ok(path.to_str().with_context(|| format!("{}: the path is not UTF-8", path.display()))?.to_owned())
    };
    if let Some(policy) = &args.policy {
        config.load.policy = Some(text(policy)?);
    }
    if let Some(cache) = &args.cache {
        config.load.cache = match Directory::from(cache.as_str()) {
            Directory::Path(path) => Directory::Path(text(Path::new(&path))?),
            other => other,
        };
    }
    Ok(())
}

/// Options for the runtime.
pub(crate) fn options(args: &LoadOptions) -> Result<Options> {
    let mut options = Options::default();
    options.allow_downgrade = args.allow_downgrade;
    if !args.compile_in_process {
        let program = std::env::current_exe().context("this program's own file, for the compile server")?;
        options.compiler = Compiler::Process { program, arguments: vec![SERVE.into()] };
    }
    Ok(options)
}

/// Loads a single module's file as a run with this entry would. Messages and `perigee inspect` name it by its file.
pub(crate) fn inspect(file: &Path, entry: Module, args: &LoadOptions, mode: Mode) -> Result<ModuleInfo> {
    let mut config = Config::default();
    apply(args, &mut config)?;
    let loader = options(args)?.loader(&config.load, Path::new(""))?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entry = Module { signed_as: Some(entry.name), name, ..entry };
    let upload = loader.read(file)?;
    Ok(perigee_runtime::confined(mode, || loader.inspect(&entry, &upload))??)
}

/// A file's name without its end: what its signature calls it, unless told otherwise.
pub(crate) fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
