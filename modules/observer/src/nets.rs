//! Prefixes, and routes in the words of the router: walked from first to last.

use alloc::vec::Vec;
use core::net::IpAddr;
use perigee_guest::Refusal;

/// A prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    address: IpAddr,
    len: u32,
}

fn bits(address: IpAddr) -> u128 {
    match address {
        // Both families begin at the highest bit.
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Net {
    pub(crate) fn read(text: &str) -> Result<Self, Refusal> {
        let text = if text == "default" { "0.0.0.0/0" } else { text };
        let (address, len) = text.split_once('/').unwrap_or((text, "128"));
        match (address.parse(), len.parse()) {
            (Ok(address), Ok(len)) => Ok(Self { address, len }),
            _ => Err(Refusal::from_parts(&["\"", text, "\" is no prefix such as 10.0.0.0/8"])),
        }
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let differ = bits(self.address) ^ bits(address);
        self.address.is_ipv4() == address.is_ipv4() && differ.leading_zeros() >= self.len.min(128)
    }
}

/// All routes at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table(Vec<(Net, Vec<IpAddr>)>);

impl Table {
    /// Applies `add`, `replace` or `del`, and a route.
    pub(crate) fn apply(&mut self, line: &str) -> Result<(), Refusal> {
        let wrong =
            || Refusal::from_parts(&["\"", line, "\": add, replace or del, PREFIX, and via ADDRESS or blackhole"]);
        let mut words = line.split_ascii_whitespace();
        let (verb, net) = (words.next().ok_or_else(wrong)?, Net::read(words.next().ok_or_else(wrong)?)?);
        if !matches!(verb, "add" | "replace" | "del") {
            return Err(wrong());
        }
        self.0.retain(|(known, _)| *known != net);
        if verb == "del" {
            return Ok(());
        }
        let mut hops = Vec::new();
        for word in words {
            match word {
                "via" | "blackhole" | "unreachable" => {}
                _ => hops.push(word.parse().map_err(|_| wrong())?),
            }
        }
        self.0.push((net, hops));
        Ok(())
    }

    /// The next hops for an address: none where nothing may go there.
    pub(crate) fn hops(&self, address: IpAddr) -> &[IpAddr] {
        let fitting = self.0.iter().filter(|(net, _)| net.has(address));
        fitting.max_by_key(|(net, _)| net.len).map_or(&[], |(_, hops)| hops)
    }
}
