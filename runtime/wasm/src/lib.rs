//! What knows wasm: engine, memory, modules, instances. Nothing here knows of DPDK.

pub mod area;
pub mod compile;
pub mod confined;
pub mod deadline;
pub mod engine;
mod exports;
pub mod fields;
pub mod flat;
pub mod host;
mod imports;
pub mod instance;
pub mod limits;
pub mod log;
pub mod memory;
mod mirror;
pub mod module;
pub mod request;
pub mod share;
mod source;
pub mod stack;
pub mod tell;
pub mod ticker;
pub mod trace;
pub mod trap;
pub mod uninterrupted;
pub mod wasi;
