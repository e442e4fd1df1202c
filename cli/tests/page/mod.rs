//! A page as its reader uses it: from top to bottom, files are made and commands pasted into one shell, and what they print is
//! compared with what the page says.
//!
//! What a block of code is for is said in the lines above it:
//!
//! - `<!-- file: PATH -->`: the reader writes it into this file of the repository's folder; a second one with the same path goes
//!   behind the first.
//! - the language `sh`: it is pasted, unless `<!-- not run: WHY -->` says that it is not.
//! - `<!-- output -->`: the commands before it print these lines, in this order, among others. Numbers and blanks may differ.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Seconds that a page may take.
const LIMIT: &str = "300";
/// Stands before the output of each block.
const MARK: &str = "@@@ line ";
const FENCE: &str = "```";
/// What each block has.
pub(crate) const NAMED: &str = "`sh` for commands, `text` for what they print";

/// What a reader does with a block, and the line where it begins.
#[derive(Debug, PartialEq)]
pub(crate) enum Use {
    /// Writes a file.
    Write(String),
    /// Pastes it.
    Paste,
    /// Compares it with what was printed.
    Compare,
    /// Reads it.
    Read,
}

/// A block of code.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) line: usize,
    pub(crate) language: String,
    pub(crate) used: Use,
    pub(crate) text: String,
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of cli/").to_owned()
}

/// The blocks of a page, in order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut before) = (Vec::new(), Vec::new());
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.strip_prefix(FENCE) else {
            if line.starts_with("<!-- ") {
                before.push(line)
            } else {
                before.clear()
            }
            continue;
        };
        let text = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != FENCE);
        let text = text.fold(String::new(), |text, line| text + line + "\n");
        let comment = |word: &str| before.iter().find_map(|line| line.strip_prefix("<!-- ")?.strip_prefix(word));
        let used = if let Some(path) = comment("file: ") {
            Use::Write(path.trim_end_matches(" -->").to_owned())
        } else if comment("output").is_some() {
            Use::Compare
        } else if language == "sh" && comment("not run: ").is_none() {
            Use::Paste
        } else {
            Use::Read
        };
        blocks.push(Block { line: number + 1, language: language.to_owned(), used, text });
        before.clear();
    }
    blocks
}

/// Does what a page says, in a folder like the repository's after its build; fails where a command does, or prints something else.
pub(crate) fn follow(path: &str, environment: &[(&str, PathBuf)]) {
    let page = fs::read_to_string(root().join(path)).expect("the page");
    let folder = tempfile::tempdir().expect("a folder");
    lay_out(folder.path());
    let blocks = blocks(&page);
    let said = paste(&script(&blocks, folder.path()), folder.path(), environment);
    let mut printed = Vec::new();
    for block in &blocks {
        assert!(!block.language.is_empty(), "{path}:{}: a block without a language: {NAMED}", block.line);
        match &block.used {
            Use::Paste => printed = part(&said, block.line).unwrap_or_else(|| panic!("{path} ended early:\n{said}")),
            Use::Compare => compare(path, block, &printed),
            Use::Write(_) | Use::Read => {}
        }
    }
    assert!(said.ends_with(&format!("{MARK}end\n")), "{path}: a command failed:\n{said}");
}

/// The repository with what it has after `./x demo`. What readers change lies in a copy.
fn lay_out(folder: &Path) {
    for entry in fs::read_dir(root()).expect("the repository").flatten() {
        let name = entry.file_name();
        if name == "examples" {
            copy(&entry.path(), &folder.join(name));
        } else if name != "target" && !name.to_string_lossy().starts_with('.') {
            symlink(entry.path(), folder.join(name)).expect("a link");
        }
    }
    fs::create_dir_all(folder.join("target/release")).expect("a folder");
    symlink(env!("CARGO_BIN_EXE_perigee"), folder.join("target/release/perigee")).expect("a link");
    symlink(root().join("target/modules"), folder.join("target/modules")).expect("a link");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}

/// What is typed.
fn script(blocks: &[Block], folder: &Path) -> String {
    // A shell that one of the commands starts reads on here, and ends at the first mistake as well.
    let mut script = "set -e\nexport SHELLOPTS\n".to_owned();
    let mut written: Vec<&str> = Vec::new();
    for block in blocks {
        let _ = match &block.used {
            Use::Write(path) => {
                let into = if written.contains(&path.as_str()) { ">>" } else { ">" };
                written.push(path);
                let path = folder.join(path).display().to_string();
                write!(script, "cat {into} '{path}' <<'@@@'\n{}\n@@@\n", block.text)
            }
            Use::Paste => write!(script, "echo; echo '{MARK}{}'\n{}", block.line, block.text),
            Use::Compare | Use::Read => Ok(()),
        };
    }
    script + "echo; echo '" + MARK + "end'\n"
}

/// Pastes it into a shell, and gives back all that was printed.
fn paste(script: &str, folder: &Path, environment: &[(&str, PathBuf)]) -> String {
    let printed = folder.join("printed");
    let file = fs::File::create(&printed).expect("a file");
    let mut shell = Command::new("timeout");
    shell.args(["--kill-after=5", LIMIT, "bash"]).current_dir(folder).envs(environment.iter().cloned());
    // As README.md and docs/getting-started.md begin.
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env("PATH", format!("{}:{path}", folder.join("target/release").display()));
    // No other run is this reader's.
    shell.env("XDG_RUNTIME_DIR", folder);
    shell.env_remove("PERIGEE").env_remove("PERIGEE_LOG").stdin(Stdio::piped());
    shell.stdout(file.try_clone().expect("a copy")).stderr(file);
    let mut shell = shell.spawn().expect("timeout and bash start");
    // A shell that has ended early reads no more, which is told below.
    let _ = shell.stdin.take().expect("it is piped").write_all(script.as_bytes());
    let ended = shell.wait().expect("it can be waited for");
    // A page that was left in the middle leaves runs behind; `timeout` has made a process group of them.
    let group = format!("kill -KILL -- -{} 2>/dev/null", shell.id());
    let _ = Command::new("sh").args(["-c", &group]).status();
    let said = String::from_utf8_lossy(&fs::read(&printed).expect("what was printed")).into_owned();
    assert!(ended.success(), "the shell {ended}:\n{said}");
    said
}

/// The lines that were printed by the block at this line of the page.
fn part(said: &str, line: usize) -> Option<Vec<String>> {
    let (_, rest) = said.split_once(&format!("{MARK}{line}\n"))?;
    let (own, _) = rest.split_once(&format!("\n{MARK}"))?;
    Some(own.lines().map(stable).collect())
}

fn compare(path: &str, block: &Block, printed: &[String]) {
    assert!(!block.text.trim().is_empty(), "{path}:{}: no output", block.line);
    let mut rest = printed.iter();
    for line in block.text.lines() {
        let found = rest.any(|other| *other == stable(line));
        assert!(found, "{path}:{}: {line:?} was not printed there; this was:\n{}", block.line, printed.join("\n"));
    }
}

/// A line without what differs from run to run: each number is `#`, blanks are one.
fn stable(line: &str) -> String {
    let mut text = String::new();
    for word in line.split_whitespace() {
        let mut in_number = false;
        text.push(' ');
        for c in word.chars() {
            let goes_on = in_number && matches!(c, '.' | ',' | ':');
            if c.is_ascii_digit() || goes_on {
                if !in_number {
                    text.push('#');
                }
                in_number = true;
            } else {
                in_number = false;
                text.push(c);
            }
        }
    }
    text
}
