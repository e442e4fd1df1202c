//! Places by the names of fields.

use super::Place;
use crate::wire::{Field, Places};
use crate::{Refusal, Text};

impl Place {
    /// The place of a header's field; nothing where it has no bits, or more than 128.
    #[must_use]
    pub fn of_field(field: &Field) -> Option<Self> {
        Self::bits(u32::try_from(field.bit).ok()?, u32::try_from(field.bits).ok()?)
    }

    /// The place of a field by its name, as [`Places::field`] understands it: `"ipv4.source"`, `"ipv4#2.source"`.
    ///
    /// ```
    /// use perigee_guest::vary::Place;
    /// use perigee_guest::wire::{Ethernet, Ipv4, Layers, Places, Stack};
    ///
    /// perigee_guest::stack! { struct Plain { eth: Ethernet, ip: Ipv4 } }
    /// let mut packet = [0; 60];
    /// Plain::fill(&mut packet, |_| ())?;
    /// let places: Places = Layers::new(&packet).collect();
    /// assert_eq!(Place::named(&places, "ipv4.source").ok(), Place::bytes(26, 4));
    /// # Ok::<(), perigee_guest::wire::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A text that says which fields or headers there are instead.
    pub fn named(places: &Places, name: &str) -> Result<Self, Refusal> {
        match places.field(name) {
            Some(field) => Self::of_field(&field)
                .ok_or_else(|| Refusal::from_parts(&["field: \"", name, "\" has more than 128 bits"])),
            None => Err(unknown(places, name)),
        }
    }
}

/// Says what there is.
fn unknown(places: &Places, name: &str) -> Refusal {
    let mut text = Text::<240>::from("field: the packet has no \"");
    text.push(name).push("\"; ");
    let header = name.split('.').next().unwrap_or_default();
    let mut separator = "";
    if let Some(place) = places.named(header) {
        text.push(header).push(" has ");
        for field in place.info.format.fields {
            text.push(separator).push(field.name);
            separator = ", ";
        }
        return text.into();
    }
    text.push("its headers are ");
    for (index, place) in places.iter().enumerate() {
        text.push(separator);
        push_name(&mut text, place.name());
        let before = places.iter().take(index).filter(|other| other.name() == place.name()).count();
        if before > 0 {
            text.push("#").push_number(before as u64 + 1);
        }
        separator = ", ";
    }
    text.into()
}

/// A protocol's name as configurations have it.
fn push_name(text: &mut Text<240>, name: &str) {
    for letter in name.chars() {
        let letter = if letter == ' ' { '-' } else { letter.to_ascii_lowercase() };
        text.push(letter.encode_utf8(&mut [0; 4]));
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::wire::{Ethernet, Gtpu, Ipv4, Layers, Stack, Udp};
    use std::string::ToString as _;

    crate::stack! { struct Tunnel { eth: Ethernet, ip: Ipv4, udp: Udp, gtp: Gtpu, inner: Ipv4 } }

    #[test]
    fn names_are_those_of_the_tables_and_others_are_told_what_there_is() {
        let mut packet = [0; Tunnel::LEN];
        Tunnel::fill(&mut packet, |_| ()).unwrap();
        let places: Places = Layers::new(&packet).collect();
        let find = |name| Place::named(&places, name).map_err(|refusal| refusal.to_string());
        assert_eq!(find("ipv4.source").ok(), Place::bytes(26, 4));
        assert_eq!(find("IPv4#1.dscp").ok(), Place::bits(15 * 8, 6));
        assert_eq!(find("gtp-u.teid").ok(), Place::bytes(46, 4));
        assert_eq!(find("ipv4#2.ttl").ok(), Place::bytes(58, 1));
        let headers = "its headers are ethernet, ipv4, udp, gtp-u, ipv4#2";
        for name in ["tcp.window", "ipv4#3.ttl", "ipv4#0.ttl", "ipv4#.ttl", "", ".", "ip.ttl", "gtp.teid"] {
            assert_eq!(find(name), Err(std::format!("field: the packet has no \"{name}\"; {headers}")));
        }
        for name in ["udp", "udp.", "udp.window", "udp.source_port.x"] {
            let fields = "udp has source_port, destination_port, length, checksum";
            assert_eq!(find(name), Err(std::format!("field: the packet has no \"{name}\"; {fields}")));
        }
    }
}
