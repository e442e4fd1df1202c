//! What a run is started with beside its configuration: what the operator decides at the command line, or the program that
//! embeds the runtime.

/// Options of [`crate::Run::start_with`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Keeps evidence of failures; counts before what the configuration says.
    pub evidence: Option<crate::EvidenceOptions>,
}
