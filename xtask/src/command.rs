//! Running other programs, and finding them and this repository.

use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository that this program belongs to.
pub(crate) struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The one that cargo started this program from. Asked at run time: a repository can be moved together with its target
    /// folder, and what was compiled in would then name the old place.
    pub(crate) fn find() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").context("start this through ./x or `cargo xtask`")?;
        let root = Path::new(&manifest).parent().context("xtask lies in no folder")?;
        Ok(Self { root: root.to_owned() })
    }

    /// Its folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the repository.
    pub(crate) fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.root.join(inside)
    }

    /// A program, started at the root.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.root);
        command
    }

    /// The cargo that started this program.
    pub(crate) fn cargo(&self, task: &str) -> Command {
        let mut command = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.arg(task);
        command
    }

    /// The compiler that the host's crates are built with.
    pub(crate) fn rustc(&self) -> Command {
        self.command(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
    }

    /// Where cargo builds to.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.path("target"), |dir| self.path(dir))
    }
}

/// True on a build machine, where warnings are errors.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// True where the user is root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Runs a program to its end; what it prints goes to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a program to its end and gives back what it printed. Its errors go to the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {}", shown(command)))?;
    if !output.status.success() {
        bail!("{} ended with {}", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// True where a program can be started and ends well, such as `mdbook --version`.
pub(crate) fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A program that `cargo install` put somewhere, or a name for the shell's own search.
pub(crate) fn installed(name: &str) -> PathBuf {
    let home = env::home_dir().unwrap_or_default();
    let roots = [
        env::var_os("CARGO_INSTALL_ROOT").map(PathBuf::from),
        env::var_os("CARGO_HOME").map(PathBuf::from),
        Some(home.join(".cargo")),
    ];
    let mut places = roots.into_iter().flatten().map(|root| root.join("bin").join(name));
    places.find(|path| path.is_file()).unwrap_or_else(|| name.into())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
