//! `--ready-fd`: tells whoever has started this program when ports and lcores work.
#![allow(unsafe_code, reason = "takes over a descriptor that was handed to this process")]

use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Flags of an open file, as /proc shows them: how it can be accessed (0: only read), and whether programs that are started
/// from here get it.
const ACCESS: u32 = 0o3;
const CLOSE_ON_EXEC: u32 = 0o2_000_000;

/// The descriptor, until the line is written.
pub(crate) struct Ready(Option<File>);

impl Ready {
    /// Takes over the descriptor of that number. Nobody else in this process may have it: what was opened here, and not
    /// handed to it, is refused.
    pub(crate) fn take(number: Option<u32>) -> Result<Self> {
        let Some(number) = number else { return Ok(Self(None)) };
        ensure!(
            number > 2,
            "--ready-fd {number}: 0, 1 and 2 are standard input, output and error; 3 or more can be taken"
        );
        let flags = flags(number).with_context(|| {
            format!("--ready-fd {number}: no open file descriptor has this number; a shell opens one: {number}> FILE")
        })?;
        if flags & CLOSE_ON_EXEC != 0 {
            bail!(
                "--ready-fd {number}: this descriptor is the program's own; take another number, and open it: {number}> FILE"
            );
        }
        ensure!(
            flags & ACCESS != 0,
            "--ready-fd {number}: it is open for reading only; a shell opens one: {number}> FILE"
        );
        let number = RawFd::try_from(number).with_context(|| format!("--ready-fd {number}"))?;
        // SAFETY:
        // - The descriptor is open: /proc has just shown its flags.
        // - Nobody else in this process owns it: it stays open when a program is started, and all that the standard library
        //   and DPDK, which has not been started, open here does not. So it came from outside, and this is called once.
        let given = unsafe { OwnedFd::from_raw_fd(number) };
        // The copy does not go to the compile server, in which it would stay open.
        Ok(Self(Some(File::from(given.try_clone().context("--ready-fd")?))))
    }

    /// Writes the line, and closes the descriptor. A reader that has gone wanted to know no more.
    pub(crate) fn tell(self) {
        if let Some(Err(error)) = self.0.map(|mut file| file.write_all(b"ready\n")) {
            tracing::warn!("--ready-fd: {error}");
        }
    }
}

/// The flags of an open descriptor; nothing where there is none.
fn flags(number: u32) -> Option<u32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(flags.trim(), 8).ok()
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn only_what_was_handed_over_is_taken() {
        let refused = |number: u32| Ready::take(Some(number)).err().map(|error| error.to_string()).unwrap_or_default();
        for number in 0..3 {
            assert!(refused(number).contains("standard input, output and error"), "{}", refused(number));
        }
        assert!(refused(987_654).contains("no open file descriptor has this number"), "{}", refused(987_654));
        // The standard library's own files are closed when a program is started.
        let own = File::open("/dev/null").unwrap();
        let number = u32::try_from(own.as_raw_fd()).unwrap();
        assert!(refused(number).contains("the program's own"), "{}", refused(number));
    }
}
