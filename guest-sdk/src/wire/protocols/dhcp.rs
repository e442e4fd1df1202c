//! DHCP for IPv4 and IPv6.

use crate::wire::{Error, Header, Mac, Tlv, TlvFormat, Tlvs, header};
use core::net::{Ipv4Addr, Ipv6Addr};

/// A DHCP message of IPv4, the magic cookie included. Options follow ([`Dhcp::options`]).
#[header(name = "DHCP", source = "RFC 2131", udp_port = [67, 68])]
pub struct Dhcp {
    /// [`Dhcp::REQUEST`] from a client, [`Dhcp::REPLY`] from a server.
    #[initial = Self::REQUEST]
    operation: u8,
    /// Kind of hardware: 1 is Ethernet.
    #[initial = 1]
    hardware: u8,
    /// Length of a hardware address.
    #[initial = 6]
    hardware_len: u8,
    /// Over how many relays it came.
    hops: u8,
    /// Which messages belong together.
    #[hex]
    transaction_id: u32,
    /// Seconds since the client began.
    seconds: u16,
    /// The client can be reached by broadcast only.
    broadcast: bool,
    /// Must be 0.
    #[bits(15)]
    reserved: u16,
    /// Address that the client has already.
    client: Ipv4Addr,
    /// Address that the client gets.
    yours: Ipv4Addr,
    /// Server of the next step of booting.
    next_server: Ipv4Addr,
    /// The relay.
    relay: Ipv4Addr,
    /// Hardware address of the client.
    mac: Mac,
    /// Rest of the place for a hardware address.
    mac_padding: [u8; 10],
    /// Name of the server, with a zero at its end; or options ([`Dhcp::OPTION_OVERLOAD`]).
    server_name: [u8; 64],
    /// File to boot from, with a zero at its end; or options ([`Dhcp::OPTION_OVERLOAD`]).
    boot_file: [u8; 128],
    /// [`Dhcp::MAGIC`]: options follow.
    #[initial = Self::MAGIC]
    #[hex]
    cookie: u32,
}

impl Header for Dhcp {
    fn is_valid(&self) -> bool {
        self.cookie() == Self::MAGIC && matches!(self.operation(), Self::REQUEST | Self::REPLY)
    }
}

impl Dhcp {
    /// Operation: of a client.
    pub const REQUEST: u8 = 1;
    /// Operation: of a server.
    pub const REPLY: u8 = 2;
    /// The cookie that tells DHCP from BOOTP.
    pub const MAGIC: u32 = 0x6382_5363;

    /// Message type: who can give me an address?
    pub const DISCOVER: u8 = 1;
    /// Message type: I can, this one.
    pub const OFFER: u8 = 2;
    /// Message type: I take it.
    pub const DHCP_REQUEST: u8 = 3;
    /// Message type: someone else has it.
    pub const DECLINE: u8 = 4;
    /// Message type: it is yours.
    pub const ACK: u8 = 5;
    /// Message type: you cannot have it.
    pub const NAK: u8 = 6;
    /// Message type: I do not need it any more.
    pub const RELEASE: u8 = 7;
    /// Message type: tell me the rest.
    pub const INFORM: u8 = 8;

    /// Option: subnet mask, four bytes.
    pub const OPTION_SUBNET_MASK: u16 = 1;
    /// Option: routers, four bytes each.
    pub const OPTION_ROUTER: u16 = 3;
    /// Option: DNS servers, four bytes each.
    pub const OPTION_DNS: u16 = 6;
    /// Option: name of the client.
    pub const OPTION_HOST_NAME: u16 = 12;
    /// Option: the address that the client wants.
    pub const OPTION_REQUESTED_ADDRESS: u16 = 50;
    /// Option: for how many seconds, four bytes.
    pub const OPTION_LEASE_TIME: u16 = 51;
    /// Option: options are in [`Self::boot_file`] (bit 0) and [`Self::server_name`] (bit 1) too.
    pub const OPTION_OVERLOAD: u16 = 52;
    /// Option: message type, one byte.
    pub const OPTION_MESSAGE_TYPE: u16 = 53;
    /// Option: address of the server.
    pub const OPTION_SERVER: u16 = 54;
    /// Option: which options the client wants, one byte each.
    pub const OPTION_PARAMETERS: u16 = 55;
    /// Option: who the client is, whatever its hardware address.
    pub const OPTION_CLIENT: u16 = 61;
    /// Option: what the relay adds (RFC 3046).
    pub const OPTION_RELAY: u16 = 82;

    /// The options behind the header.
    ///
    /// ```
    /// use perigee_guest::wire::Dhcp;
    ///
    /// let payload = [53, 1, Dhcp::DISCOVER, 55, 2, 1, 3, 255];
    /// let wanted = Dhcp::options(&payload).find_kind(Dhcp::OPTION_PARAMETERS)?;
    /// assert_eq!((Dhcp::message_type(&payload), wanted), (Some(Dhcp::DISCOVER), Some(&[1, 3][..])));
    /// # Ok::<(), perigee_guest::wire::Error>(())
    /// ```
    #[must_use]
    pub const fn options(payload: &[u8]) -> Tlvs<'_> {
        Tlvs::new(payload, TlvFormat::DHCP)
    }

    /// The options behind the header, and those in the places for file and server (RFC 2131, section 4.1), in that order.
    pub fn all_options<'a>(&'a self, payload: &'a [u8]) -> impl Iterator<Item = Result<Tlv<'a>, Error>> {
        let overload = Self::options(payload).find_kind(Self::OPTION_OVERLOAD).ok().flatten();
        let overload = overload.and_then(|value| value.first().copied()).unwrap_or(0);
        let place = |field: crate::wire::Field, bit: u8| {
            let bytes = zerocopy::IntoBytes::as_bytes(self).get(field.bytes()).filter(|_| overload & bit != 0);
            Self::options(bytes.unwrap_or(&[]))
        };
        let (file, server) = (place(Self::BOOT_FILE, 1), place(Self::SERVER_NAME, 2));
        Self::options(payload).chain(file).chain(server)
    }

    /// The message type: [`Dhcp::DISCOVER`] or another; nothing for BOOTP, or malformed options.
    #[must_use]
    pub fn message_type(payload: &[u8]) -> Option<u8> {
        Self::options(payload).find_kind(Self::OPTION_MESSAGE_TYPE).ok()??.first().copied()
    }
}

/// A DHCPv6 message between client and server. Options follow ([`Dhcpv6::options`]).
#[header(name = "DHCPv6", source = "RFC 8415", udp_port = [547, 546])]
pub struct Dhcpv6 {
    /// [`Dhcpv6::SOLICIT`] or another.
    #[initial = Self::SOLICIT]
    kind: u8,
    /// Which messages belong together.
    #[bits(24)]
    #[hex]
    transaction_id: u32,
}

impl Header for Dhcpv6 {
    fn is_valid(&self) -> bool {
        !matches!(self.kind(), 0 | Self::RELAY_FORWARD | Self::RELAY_REPLY)
    }
}

impl Dhcpv6 {
    /// Who can give me addresses?
    pub const SOLICIT: u8 = 1;
    /// I can, these.
    pub const ADVERTISE: u8 = 2;
    /// I take them.
    pub const REQUEST: u8 = 3;
    /// The answer to all but [`Self::SOLICIT`].
    pub const REPLY: u8 = 7;
    /// Tell me the rest.
    pub const INFORMATION_REQUEST: u8 = 11;
    /// From a relay to a server.
    pub const RELAY_FORWARD: u8 = 12;
    /// From a server to a relay.
    pub const RELAY_REPLY: u8 = 13;

    /// Option: who the client is.
    pub const OPTION_CLIENT: u16 = 1;
    /// Option: who the server is.
    pub const OPTION_SERVER: u16 = 2;
    /// Option: the message within that of a relay.
    pub const OPTION_RELAY_MESSAGE: u16 = 9;

    /// The options behind this header, or behind that of a relay.
    #[must_use]
    pub const fn options(payload: &[u8]) -> Tlvs<'_> {
        Tlvs::new(payload, TlvFormat::WORDS)
    }
}

/// A DHCPv6 message between relay and server. Options follow, one of which has the client's or server's message.
#[header(name = "DHCPv6 relay", source = "RFC 8415", udp_port = 547)]
pub struct Dhcpv6Relay {
    /// [`Dhcpv6::RELAY_FORWARD`] or [`Dhcpv6::RELAY_REPLY`].
    #[initial = Dhcpv6::RELAY_FORWARD]
    kind: u8,
    /// Over how many relays it came.
    hops: u8,
    /// Address on the link of the client.
    link: Ipv6Addr,
    /// Address of the client, or of the relay before.
    peer: Ipv6Addr,
}

impl Header for Dhcpv6Relay {
    fn is_valid(&self) -> bool {
        matches!(self.kind(), Dhcpv6::RELAY_FORWARD | Dhcpv6::RELAY_REPLY)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::protocols::captured::hex;
    use std::format;
    use std::vec::Vec;

    fn offer() -> Vec<u8> {
        let (server, file) = (format!("737276{}", "00".repeat(61)), format!("0c0168ff{}", "00".repeat(124)));
        hex(&format!(
            "02010600 deadbeef 0000 8000 00000000 0a000009 0a000001 00000000 020000000007 00000000000000000000 {server} {file}
             63825363 350102 36040a000001 330400000e10 340101 ff"
        ))
    }

    #[test]
    fn an_offer_is_read() {
        let bytes = offer();
        let dhcp = Dhcp::parse(&bytes).unwrap();
        assert_eq!((dhcp.operation(), dhcp.transaction_id(), dhcp.broadcast()), (Dhcp::REPLY, 0xdead_beef, true));
        assert_eq!((dhcp.yours(), dhcp.next_server()), (Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!((dhcp.mac(), &dhcp.server_name()[..4]), (Mac([2, 0, 0, 0, 0, 7]), &b"srv\0"[..]));
        assert_eq!(Dhcp::message_type(dhcp.payload), Some(Dhcp::OFFER));
        assert_eq!(Dhcp::options(dhcp.payload).find_kind(Dhcp::OPTION_LEASE_TIME), Ok(Some(&[0, 0, 0x0e, 0x10][..])));
        let kinds: Vec<_> = dhcp.all_options(dhcp.payload).map(|option| option.unwrap().kind).collect();
        assert_eq!(kinds, [53, 54, 51, 52, Dhcp::OPTION_HOST_NAME]);
    }

    #[test]
    fn without_its_cookie_it_is_none() {
        let mut bytes = offer();
        bytes[239] = 0;
        assert!(Dhcp::parse(&bytes).is_err());
        assert_eq!(Dhcp::message_type(&[53]), None);
    }

    #[test]
    fn a_relay_carries_a_message() {
        let bytes = hex("
            0c 01 20010db8000000000000000000000001 fe800000000000000000000000000007 0009 0018
            01 abcdef 0001 000a 00030001020000000007 0008 0002 0000");
        assert!(Dhcpv6::parse(&bytes).is_err());
        let relay = Dhcpv6Relay::parse(&bytes).unwrap();
        assert_eq!((relay.hops(), relay.peer()), (1, "fe80::7".parse().unwrap()));
        let inner = Dhcpv6::options(relay.payload).find_kind(Dhcpv6::OPTION_RELAY_MESSAGE).unwrap().unwrap();
        let inner = Dhcpv6::parse(inner).unwrap();
        assert_eq!((inner.kind(), inner.transaction_id()), (Dhcpv6::SOLICIT, 0x00ab_cdef));
        let client = Dhcpv6::options(inner.payload).find_kind(Dhcpv6::OPTION_CLIENT).unwrap().unwrap();
        assert_eq!(client, [0, 3, 0, 1, 2, 0, 0, 0, 0, 7]);
    }
}
