//! Interfaces of the kernel's that ports are made on: what the kernel says of them. DPDK's drivers ask once, if at all.

pub mod fpm;
mod kernel;
mod message;
pub mod routes;

pub use message::{Link, Which};

use super::Interface;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};

/// A socket to the kernel's interfaces.
#[derive(Debug)]
pub struct Netlink(File);

impl Netlink {
    /// Opens one. It sees the interfaces of the namespace in which that happens.
    pub fn open() -> Result<Self> {
        kernel::netlink().map(Self)
    }

    /// What the kernel says of an interface: ENODEV where there is none.
    pub fn ask(&mut self, which: Which<'_>) -> Result<Link> {
        let answer = message::exchange(&mut self.0, &message::ask_link(which))?;
        let cut = || Error::new(ErrorKind::InvalidData, "an answer of the kernel's is cut short");
        message::link(&answer).ok_or_else(cut)
    }

    /// Takes the XDP program off an interface.
    pub fn take_off_program(&mut self, link: &Link) -> Result<()> {
        message::exchange(&mut self.0, &message::without_program(link)).map(drop)
    }

    /// The name of the XDP program of that number. Needs root.
    pub fn program_name(&self, program: u32) -> Result<String> {
        kernel::program_name(program)
    }
}

/// What the kernel says of an interface before a port is made on it; `None` where its answer is none.
pub fn look(which: Which<'_>) -> Result<Option<Interface>> {
    let answer = message::exchange(&mut kernel::netlink()?, &message::ask_link(which))?;
    Ok(message::interface(&answer))
}

/// What kind of hardware an interface of the kernel's is, by linux/if_arp.h.
pub fn hardware(name: &str) -> Result<u16> {
    Netlink::open()?.ask(Which::Name(name)).map(|link| link.kind)
}

/// Whether the kernel has said that there is no such interface.
pub fn is_gone(error: &Error) -> bool {
    error.raw_os_error() == Some(libc::ENODEV)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn an_interface_is_the_same_by_name_and_by_number() {
        let mut netlink = Netlink::open().unwrap();
        let by_name = netlink.ask(Which::Name("lo")).unwrap();
        assert!(by_name.mtu >= 1_500 && by_name.address == Some([0; 6]), "{by_name:?}");
        assert_eq!(netlink.ask(Which::Number(by_name.number)).unwrap().number, by_name.number);
        assert!(is_gone(&netlink.ask(Which::Name("no-such-one")).unwrap_err()));
        assert!(is_gone(&netlink.ask(Which::Number(0x7fff_0000)).unwrap_err()));
    }
}
