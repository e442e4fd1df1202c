//! What the machine has, as far as a configuration can ask too much of it: memory, interfaces, rights. Only looked at: nothing is
//! opened for use, and nothing is taken.

mod affinity;
mod card;
mod facts;
mod interface;
mod memory;
pub mod netlink;
mod rights;

pub use affinity::Affinity;
pub use card::{Card, UIO, Use, VFIO, bind};
pub use facts::{cpu_name, kernel_release};
pub use interface::{Interface, Tap};
pub use memory::{HugePages, Memory};
pub use rights::Rights;
