//! What a run is started with beside its configuration: what the operator decides at the command line, or the program that
//! embeds the runtime.

/// Options of [`crate::Run::start_with`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// How strict the jail is ([`crate::jail`]); `None`: as `[run] jail` says, and off where that says nothing. The jail is
    /// the whole process's, and for good: a program that embeds the runtime asks for it knowingly.
    pub jail: Option<crate::jail::Mode>,
    /// Directories below which files may still be made and written in the jail. One that is not there is made; where the
    /// process changes its user, they become that user's.
    pub writable: Vec<std::path::PathBuf>,
    /// Files that the control thread removes at the end, within [`crate::jail::with_rights`]: sockets.
    pub removed: Vec<std::path::PathBuf>,
}
