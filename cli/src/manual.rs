//! Manual pages, one for each command, from the definition of the command line.

use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;
use std::path::Path;

/// Writes the page of `command` and those of its commands, which are not hidden, to a directory that is there.
pub(crate) fn write(command: Command, directory: &Path) -> Result<()> {
    // A page for each word of help about commands would say nothing new.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    pages(&command, directory)
}

fn pages(command: &Command, directory: &Path) -> Result<()> {
    command.get_subcommands().filter(|one| !one.is_hide_set()).try_for_each(|one| pages(one, directory))?;
    // By itself a page of `run` says that it is from a program of that name.
    let page = Man::new(command.clone()).source(concat!("Perigee ", env!("CARGO_PKG_VERSION"))).manual("Perigee");
    page.generate_to(directory).with_context(|| format!("cannot write to {}", directory.display()))?;
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    #[test]
    fn each_command_has_a_page_and_hidden_ones_have_none() {
        let directory = tempfile::tempdir().unwrap();
        write(Cli::command(), directory.path()).unwrap();
        let read = |page: &str| std::fs::read_to_string(directory.path().join(page));
        let page = read("perigee-ctl-swap.1").unwrap();
        assert!(page.contains("Replace a module while packets flow") && page.contains("grace"), "{page}");
        for page in ["perigee.1", "perigee-run.1", "perigee-key-new.1"] {
            assert!(read(page).is_ok(), "{page}");
        }
        for hidden in ["perigee-compile-server.1", "perigee-man-pages.1"] {
            assert!(read(hidden).is_err(), "{hidden}");
        }
    }
}
