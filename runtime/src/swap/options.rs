//! What is asked of a swap.

use perigee_config::{self as config, ModuleConfig};
use std::time::Duration;

/// How a module is replaced: for [`crate::Run::swap`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SwapOptions {
    /// The new module's configuration; `None`: what the old one had.
    pub config: Option<ModuleConfig>,
    /// How long the old instances are kept: when the new one fails within this time, they go on.
    pub grace: Duration,
    /// The new instances begin without the old ones' state, and what these hold is given back.
    pub fresh: bool,
    /// The whole entry in place of the old one's: limits and all that belongs to the module.
    pub(crate) entry: Option<config::Module>,
}

impl Default for SwapOptions {
    fn default() -> Self {
        Self { config: None, grace: Duration::from_secs(1), fresh: false, entry: None }
    }
}
