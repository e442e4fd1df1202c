//! How strict the jail is, as the command line says it.

use clap::{Args, ValueEnum};
use perigee_runtime::jail::Mode;

/// The jail of a command that runs a module's code and no packets.
#[derive(Args, Debug, Default)]
pub(crate) struct JailOption {
    /// What the process gives up before it looks at the module, as for `run`: on, log, off.
    #[arg(long = "jail", value_name = "MODE", default_value = "on")]
    mode: Jail,
}

impl JailOption {
    /// How strict it is.
    pub(crate) fn mode(&self) -> Mode {
        self.mode.into()
    }
}

/// How strict the jail is.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Jail {
    #[default]
    On,
    Log,
    Off,
}

impl From<Jail> for Mode {
    fn from(jail: Jail) -> Self {
        match jail {
            Jail::On => Self::On,
            Jail::Log => Self::Log,
            Jail::Off => Self::Off,
        }
    }
}
