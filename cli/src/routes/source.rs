//! Where routes come from.

use super::fpm::Fpm;
use super::kernel::Kernel;
use anyhow::Result;
use perigee_machine::netlink::routes::News;

/// What happens at a source.
pub(super) enum Event {
    /// It says this.
    News(News),
    /// Routes may have changed of which it says nothing.
    Doubt(&'static str),
    /// Some of what it said was not heard.
    Lost(&'static str),
    /// A peer is there, and says all that it has from now on.
    Begun,
    /// It has gone: why.
    Ended(String),
}

/// One of them.
pub(super) enum Source {
    Kernel(Kernel),
    Fpm(Fpm),
}

impl Source {
    /// What has happened, as soon as something has. Nothing is lost where nobody waits for the end of this.
    pub(super) async fn next(&mut self) -> Result<Vec<Event>> {
        match self {
            Self::Kernel(kernel) => kernel.next().await,
            Self::Fpm(fpm) => fpm.next().await,
        }
    }
}
