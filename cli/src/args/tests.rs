//! What clap looks at in debug builds alone, of which nobody makes one here.

use super::Cli;
use clap::CommandFactory;
use std::collections::HashSet;

/// Two structs that are flattened into one command share an option's value where they have a field of the same name: the second one
/// would take what the first was given.
#[test]
fn no_two_options_of_a_command_share_a_name() {
    fn check(command: &clap::Command) {
        let mut names = HashSet::new();
        for option in command.get_arguments() {
            assert!(names.insert(option.get_id()), "{}: {} is there twice", command.get_name(), option.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    let mut all = Cli::command();
    all.build();
    check(&all);
}
