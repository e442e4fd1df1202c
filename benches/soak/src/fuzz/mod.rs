//! What the fuzz targets check (`fuzz/src`), for bytes that [`mutant`] makes of their corpora: no coverage guides it, but
//! nothing has to be built for it either.
#![allow(unreachable_pub, reason = "the targets' modules are public elsewhere")]

#[path = "../../../../fuzz/src/config.rs"]
pub(crate) mod config;
#[path = "../../../../fuzz/src/control.rs"]
pub(crate) mod control;
pub(crate) mod grants;
mod mutant;
#[path = "../../../../fuzz/src/provenance.rs"]
pub(crate) mod provenance;

pub(crate) use mutant::{Random, mutant};
