//! `perigee new`: a module project that builds, tests and runs at once.

mod files;
mod name;

use crate::output;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What a module is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Rust, with the crate perigee-guest.
    Rust,
    /// C11, without a C library.
    C,
    /// Zig 0.17.
    Zig,
    /// AssemblyScript.
    As,
    /// Go 1.24 or later: it works, but is no fast path.
    Go,
}

/// What a module does in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Takes packets, changes them and passes them on.
    Stage,
    /// Makes packets.
    Generator,
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Zig => "Zig",
            Self::As => "AssemblyScript",
            Self::Go => "Go",
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Generator => "generator",
        }
    }
}

/// What is asked of the command.
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) language: Language,
    pub(crate) kind: Kind,
    /// The project's folder, where it is not the name.
    pub(crate) path: Option<&'a Path>,
    /// The crate perigee-guest, where it is not that of this program's repository.
    pub(crate) sdk: Option<&'a Path>,
}

/// `perigee new`.
pub(crate) fn new(asked: &Asked<'_>) -> Result<ExitCode> {
    name::check(asked.name, asked.language)?;
    let folder = asked.path.unwrap_or(Path::new(asked.name));
    check_folder(folder)?;
    let sdk = match asked.language {
        Language::Rust => Some(find_sdk(asked.sdk)?),
        _ => None,
    };
    ensure!(
        sdk.is_some() || asked.sdk.is_none(),
        "--sdk is for Rust: the kit for {} is copied into the project",
        asked.language.name()
    );
    // All texts first: a mistake then leaves no half of a project behind.
    let files = files::all(asked, sdk.as_deref())?;
    for (path, text) in &files {
        write(&folder.join(path), text)?;
    }
    let (language, kind) = (asked.language.name(), asked.kind.name());
    let text = format!("made {}: a {kind} in {language}, {} files; go on with\n", folder.display(), files.len());
    output::result(&(text + &next_commands(folder)?))?;
    Ok(ExitCode::SUCCESS)
}

/// A project begins in a folder of its own.
fn check_folder(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            ensure!(
                entries.next().is_none(),
                "{} is there and not empty: choose another with --path",
                folder.display()
            );
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => bail!("cannot make a project in {}: {error}; choose another with --path", folder.display()),
    }
    Ok(())
}

/// The folder of the crate perigee-guest, as an absolute path.
fn find_sdk(given: Option<&Path>) -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk");
    let folder = given.unwrap_or(&own);
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    if !manifest.contains("name = \"perigee-guest\"") {
        let way = if given.is_some() { "it is" } else { "say where it is with --sdk:" };
        bail!(
            "the crate perigee-guest is not in {}; {way} the folder guest-sdk of Perigee's repository",
            folder.display()
        );
    }
    folder.canonicalize().with_context(|| format!("cannot read {}", folder.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(cannot)?;
    }
    fs::write(path, text).with_context(cannot)?;
    if text.starts_with("#!") {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).with_context(cannot)?;
    }
    Ok(())
}

/// Build, test, run. Where a shell would not find this program, its path is said.
fn next_commands(folder: &Path) -> Result<String> {
    let folder = quoted(folder);
    let in_path = |folder: PathBuf| folder.join("perigee").is_file();
    if env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(in_path)) {
        return Ok(format!("  cd {folder} && ./build.sh\n  ./test.sh\n  perigee run perigee.toml\n"));
    }
    let own = quoted(&env::current_exe().context("this program's own path")?);
    Ok(format!("  cd {folder} && ./build.sh\n  PERIGEE={own} ./test.sh\n  {own} run perigee.toml\n"))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    // A path that begins with a hyphen would be an option.
    let text = if text.starts_with('-') { format!("./{text}") } else { text };
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn paths_are_quoted_for_a_shell() {
        for (path, expected) in [("a/b-c", "a/b-c"), ("-a", "./-a"), ("a b", "'a b'"), ("it's", r"'it'\''s'")] {
            assert_eq!(quoted(Path::new(path)), expected);
        }
    }
}
