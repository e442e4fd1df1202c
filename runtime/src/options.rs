//! What a run is started with beside its configuration: what the operator decides at the command line, or the program that
//! embeds the runtime.

/// Options of [`crate::Run::start_with`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Who compiles modules.
    pub compiler: crate::load::Compiler,
    /// Accepts signed modules of a version older than the highest seen, and takes theirs as the highest from then on.
    pub allow_downgrade: bool,
}
