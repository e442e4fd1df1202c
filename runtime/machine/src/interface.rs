//! The kernel's interfaces, by whichever of their names.

use super::netlink::{self, Which};
use std::io;

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its number, which all of its names lead to.
    pub number: u32,
    /// The name that it is shown by.
    pub name: String,
    /// Its MTU.
    pub mtu: u32,
    /// It is up (IFF_UP).
    pub is_up: bool,
    /// It is a loopback interface.
    pub is_loopback: bool,
    /// What made it ("veth", "tun", "bridge"); empty for a card.
    pub kind: String,
    /// Most rx queues that it can have.
    pub rx_queues: u32,
    /// What is known of a TUN or TAP.
    pub tap: Option<Tap>,
    /// The number of what it is joined to (the other end of a veth pair), where that is in the same network namespace.
    pub joined_to: Option<u32>,
}

/// An interface whose other end is a program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// It carries frames; a TUN carries bare packets.
    pub is_tap: bool,
    /// It was made for several queues, and so for several programs.
    pub many_queues: bool,
    /// Queues that programs have now.
    pub queues: u32,
}

impl Interface {
    /// The interface of that name or alternative name, in the network namespace of this process; `None` where there is none.
    ///
    /// # Errors
    /// The kernel cannot be asked.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        // A longer one is no name, not even an alternative one.
        if name.is_empty() || name.len() > 127 || name.contains('\0') {
            return Ok(None);
        }
        match netlink::look(Which::Name(name)) {
            Ok(found) => Ok(found),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What it is joined to, where that can be seen from here.
    pub fn peer(&self) -> Option<Self> {
        netlink::look(Which::Number(self.joined_to?)).ok().flatten()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn loopback_is_there() {
        let lo = Interface::named("lo").expect("the kernel answers").expect("every namespace has one");
        assert!(lo.is_loopback && lo.name == "lo" && lo.number > 0, "{lo:?}");
        for none in ["no-such-interface", "", "nul\0", &"x".repeat(300)] {
            assert_eq!(Interface::named(none).expect("the kernel answers"), None, "{none:?}");
        }
    }
}
