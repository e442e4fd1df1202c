//! Messages to and from the kernel's interfaces (rtnetlink(7)): a header, an interface, attributes.

use super::super::{Interface, Tap};
use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Write};

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Of `struct ifinfomsg`.
const INTERFACE: usize = 16;
/// Of an attribute's own header.
const ATTRIBUTE: usize = 4;
/// Attributes of an interface and of its program, by linux/if_link.h.
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_ALT_IFNAME: u16 = 53;
/// Of a TUN or TAP.
const IFLA_TUN_TYPE: u16 = 3;
const IFLA_TUN_MULTI_QUEUE: u16 = 7;
const IFLA_TUN_NUM_QUEUES: u16 = 8;
const TYPE_TAP: u8 = 2;
const IFLA_XDP: u16 = 43;
const IFLA_XDP_FD: u16 = 1;
const IFLA_XDP_ATTACHED: u16 = 2;
const IFLA_XDP_FLAGS: u16 = 3;
const IFLA_XDP_PROG_ID: u16 = 4;
/// How a program is attached, as the kernel says it, and as it is asked to take it off.
const ATTACHED_BY_SOFTWARE: u8 = 2;
const FLAG_SOFTWARE: u32 = 1 << 1;
const FLAG_DRIVER: u32 = 1 << 2;
/// An attribute that holds others.
const NESTED: u16 = 1 << 15;
/// One whose value is in network order.
const NET_ORDER: u16 = 1 << 14;
/// Largest answer about one interface.
const MOST: usize = 64 << 10;

/// Which interface is meant.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// By its name, or an alternative one.
    Name(&'a str),
    /// The kernel's number, which no other interface of this namespace gets while this one lives.
    Number(u32),
}

/// What is known of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number of it.
    pub number: u32,
    /// What kind of hardware it is, by linux/if_arp.h.
    pub kind: u16,
    /// Flags of netdevice(7).
    flags: u32,
    /// Its MTU.
    pub mtu: u32,
    /// Its address, where that has six bytes.
    pub address: Option<[u8; 6]>,
    /// Number of its XDP program.
    pub program: Option<u32>,
    by_software: bool,
}

/// Longest name that is no alternative one, with its end (IFNAMSIZ).
const NAME: usize = 16;

impl Link {
    /// It is set up: what is sent is taken.
    pub fn is_set_up(&self) -> bool {
        self.has(libc::IFF_UP)
    }

    /// It is set up and has a carrier.
    pub fn is_up(&self) -> bool {
        self.has(libc::IFF_UP) && self.has(libc::IFF_RUNNING)
    }

    fn has(&self, flag: i32) -> bool {
        self.flags & flag.cast_unsigned() != 0
    }
}

/// Asks for an interface, by its name, an alternative one, or its number.
pub(super) fn ask_link(which: Which<'_>) -> Vec<u8> {
    let (number, named) = match which {
        Which::Name(name) => {
            let kind = if name.len() < NAME { libc::IFLA_IFNAME } else { IFLA_ALT_IFNAME };
            (0, attribute(kind, &[name.as_bytes(), &[0]].concat()))
        }
        Which::Number(number) => (number, Vec::new()),
    };
    message(libc::RTM_GETLINK, libc::NLM_F_REQUEST, number, &named)
}

/// Takes the program off an interface.
pub(super) fn without_program(link: &Link) -> Vec<u8> {
    let flags = if link.by_software { FLAG_SOFTWARE } else { FLAG_DRIVER };
    let inner = [attribute(IFLA_XDP_FD, &(-1_i32).to_ne_bytes()), attribute(IFLA_XDP_FLAGS, &flags.to_ne_bytes())];
    let body = attribute(IFLA_XDP | NESTED, &inner.concat());
    message(libc::RTM_SETLINK, libc::NLM_F_REQUEST | libc::NLM_F_ACK, link.number, &body)
}

/// Sends a message, and returns the answer; an error that the kernel answers is one here.
pub(super) fn exchange(netlink: &mut File, request: &[u8]) -> Result<Vec<u8>> {
    netlink.write_all(request)?;
    let mut answer = vec![0; MOST];
    let len = netlink.read(&mut answer)?;
    answer.truncate(len);
    let cut = || Error::new(ErrorKind::InvalidData, "an answer of the kernel's is cut short");
    if u16_at(&answer, 4).ok_or_else(cut)? == u16::try_from(libc::NLMSG_ERROR).unwrap_or(0) {
        // 0 is no error: the answer to what was done.
        let code = u32_at(&answer, HEADER).ok_or_else(cut)?.cast_signed();
        if code != 0 {
            return Err(Error::from_raw_os_error(-code));
        }
    }
    Ok(answer)
}

/// Reads an interface from an answer; `None` where the bytes are none.
pub(super) fn link(answer: &[u8]) -> Option<Link> {
    let (number, flags) = (u32_at(answer, HEADER + 4)?, u32_at(answer, HEADER + 8)?);
    let kind = u16_at(answer, HEADER + 2)?;
    let attributes = answer.get(HEADER + INTERFACE..)?;
    let mtu = find(attributes, libc::IFLA_MTU).and_then(|mtu| u32_at(mtu, 0)).unwrap_or(0);
    let address = find(attributes, libc::IFLA_ADDRESS).and_then(|address| address.try_into().ok());
    let mut link = Link { number, kind, flags, mtu, address, program: None, by_software: false };
    let Some(inner) = find(attributes, IFLA_XDP) else { return Some(link) };
    link.program = find(inner, IFLA_XDP_PROG_ID).and_then(|id| u32_at(id, 0)).filter(|id| *id != 0);
    link.by_software = find(inner, IFLA_XDP_ATTACHED) == Some(&[ATTACHED_BY_SOFTWARE]);
    Some(link)
}

/// Reads what an answer says of an interface; `None` where the bytes are none.
pub(super) fn interface(answer: &[u8]) -> Option<Interface> {
    let number = u32_at(answer, HEADER + 4)?;
    let (kind, flags) = (u16_at(answer, HEADER + 2)?, u32_at(answer, HEADER + 8)?);
    let has = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
    let attributes = answer.get(HEADER + INTERFACE..)?;
    let number_of = |attribute| find(attributes, attribute).and_then(|value| u32_at(value, 0));
    let made_by = find(attributes, libc::IFLA_LINKINFO).and_then(|info| find(info, libc::IFLA_INFO_KIND));
    Some(Interface {
        number,
        name: find(attributes, libc::IFLA_IFNAME).map(text).unwrap_or_default(),
        mtu: number_of(libc::IFLA_MTU)?,
        is_up: has(libc::IFF_UP),
        is_loopback: kind == libc::ARPHRD_LOOPBACK,
        kind: made_by.map(text).unwrap_or_default(),
        rx_queues: number_of(IFLA_NUM_RX_QUEUES).unwrap_or(u32::MAX),
        tap: find(attributes, libc::IFLA_LINKINFO).and_then(tap),
        joined_to: number_of(libc::IFLA_LINK).filter(|_| find(attributes, libc::IFLA_LINK_NETNSID).is_none()),
    })
}

/// What the kernel says of a TUN or TAP, among what it says of an interface's kind.
fn tap(info: &[u8]) -> Option<Tap> {
    find(info, libc::IFLA_INFO_KIND).filter(|kind| text(kind) == "tun")?;
    let data = find(info, libc::IFLA_INFO_DATA)?;
    let byte = |attribute| find(data, attribute).and_then(|value| value.first());
    Some(Tap {
        is_tap: byte(IFLA_TUN_TYPE) == Some(&TYPE_TAP),
        many_queues: byte(IFLA_TUN_MULTI_QUEUE) == Some(&1),
        queues: find(data, IFLA_TUN_NUM_QUEUES).and_then(|value| u32_at(value, 0)).unwrap_or(0),
    })
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

fn message(kind: u16, flags: i32, interface: u32, attributes: &[u8]) -> Vec<u8> {
    let len = HEADER + INTERFACE + attributes.len();
    let mut bytes = Vec::with_capacity(len);
    bytes.extend(u32::try_from(len).unwrap_or(0).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(u16::try_from(flags).unwrap_or(0).to_ne_bytes());
    // Number of the message, and of the sender: the kernel fills in ours.
    bytes.extend([0; 8]);
    // Family and type of the interface: any.
    bytes.extend([0; 4]);
    bytes.extend(interface.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(attributes);
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = ATTRIBUTE + value.len();
    let mut bytes = Vec::with_capacity(len.next_multiple_of(4));
    bytes.extend(u16::try_from(len).unwrap_or(0).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(len.next_multiple_of(4), 0);
    bytes
}

/// The value of an attribute among others.
pub(super) fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (len, kind) = (usize::from(u16_at(attributes, 0)?), u16_at(attributes, 2)?);
        let value = attributes.get(ATTRIBUTE..len)?;
        // The two upper bits say how it is written.
        if kind & !(NESTED | NET_ORDER) == wanted {
            return Some(value);
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod test {
    use super::*;

    /// An answer about interface 7 with a program, as the kernel orders it.
    fn answer() -> Vec<u8> {
        let inner =
            [attribute(IFLA_XDP_ATTACHED, &[2]), attribute(IFLA_XDP_PROG_ID, &3_624_u32.to_ne_bytes())].concat();
        let body = [attribute(libc::IFLA_IFNAME, b"v0\0"), attribute(IFLA_XDP, &inner)].concat();
        message(libc::RTM_NEWLINK, 0, 7, &body)
    }

    #[test]
    fn a_program_is_read() {
        let mtu = 0;
        let with = Link { number: 7, kind: 0, flags: 0, mtu, address: None, program: Some(3_624), by_software: true };
        assert_eq!(link(&answer()), Some(with.clone()));
        let none = message(libc::RTM_NEWLINK, 0, 7, &attribute(libc::IFLA_IFNAME, b"v0\0"));
        assert_eq!(link(&none), Some(Link { program: None, by_software: false, ..with }));
    }

    #[test]
    fn bytes_that_end_early_are_no_panic() {
        let whole = answer();
        for len in 0..whole.len() {
            let read = link(&whole[..len]);
            assert!(interface(&whole[..len]).is_none(), "without an MTU, whatever its length");
            assert!(read.is_none_or(|link| link.number == 7 && link.program.is_none_or(|id| id == 3_624)), "{len}");
        }
        // An attribute that says it has no length.
        assert_eq!(find(&[0; 8], 1), None);
    }
}
