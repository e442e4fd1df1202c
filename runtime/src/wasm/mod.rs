//! What knows wasm: engine, memory, modules, instances. Nothing here knows of DPDK.

pub(crate) mod area;
pub(crate) mod engine;
mod exports;
pub(crate) mod flat;
pub(crate) mod host;
mod imports;
pub(crate) mod instance;
pub(crate) mod memory;
pub(crate) mod module;
pub(crate) mod uninterrupted;
pub(crate) mod wasi;
