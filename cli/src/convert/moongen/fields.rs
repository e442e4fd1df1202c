//! The packets of flows: protocols, and fields by libmoon's names.

use crate::convert::lua::{Kind, Table as Fields, Value};
use crate::convert::written::{number, table};
use crate::convert::{Converted, Refused};
use std::net::{Ipv4Addr, Ipv6Addr};
use toml::Table;

/// What `Packet.NAME` and the older `packet.name` stand for: headers, first to last.
const KINDS: [(&str, &[&str]); 14] = [
    ("eth", &["ethernet"]),
    ("ethernet", &["ethernet"]),
    ("ip4", &["ethernet", "ipv4"]),
    ("ip", &["ethernet", "ipv4"]),
    ("ip6", &["ethernet", "ipv6"]),
    ("udp", &["ethernet", "ipv4", "udp"]),
    ("udp4", &["ethernet", "ipv4", "udp"]),
    ("udp6", &["ethernet", "ipv6", "udp"]),
    ("tcp", &["ethernet", "ipv4", "tcp"]),
    ("tcp4", &["ethernet", "ipv4", "tcp"]),
    ("tcp6", &["ethernet", "ipv6", "tcp"]),
    ("icmp", &["ethernet", "ipv4", "icmp"]),
    ("icmp4", &["ethernet", "ipv4", "icmp"]),
    ("arp", &["ethernet", "arp"]),
];

/// Fields: their name in a flow without capitals and underscores, and the header's and field's here.
const NAMES: [(&str, &str, &str); 33] = [
    ("ethsrc", "ethernet", "source"),
    ("ethdst", "ethernet", "destination"),
    ("ethtype", "ethernet", "ether_type"),
    ("ip4src", "ipv4", "source"),
    ("ip4dst", "ipv4", "destination"),
    ("ip4ttl", "ipv4", "ttl"),
    ("ip4id", "ipv4", "identification"),
    ("ip4protocol", "ipv4", "protocol"),
    ("ip6src", "ipv6", "source"),
    ("ip6dst", "ipv6", "destination"),
    ("ip6ttl", "ipv6", "hop_limit"),
    ("ip6flowlabel", "ipv6", "flow_label"),
    ("ip6nextheader", "ipv6", "next_header"),
    ("udpsrc", "udp", "source_port"),
    ("udpdst", "udp", "destination_port"),
    ("tcpsrc", "tcp", "source_port"),
    ("tcpdst", "tcp", "destination_port"),
    ("tcpseqnumber", "tcp", "sequence"),
    ("tcpseq", "tcp", "sequence"),
    ("tcpacknumber", "tcp", "acknowledgment"),
    ("tcpwindow", "tcp", "window"),
    ("tcpurg", "tcp", "urg"),
    ("tcpack", "tcp", "ack"),
    ("tcppsh", "tcp", "psh"),
    ("tcprst", "tcp", "rst"),
    ("tcpsyn", "tcp", "syn"),
    ("tcpfin", "tcp", "fin"),
    ("icmptype", "icmp", "kind"),
    ("icmpcode", "icmp", "code"),
    ("arpoperation", "arp", "operation"),
    ("arpprotosrc", "arp", "sender"),
    ("arpprotodst", "arp", "target"),
    ("arphardwaresrc", "arp", "sender_mac"),
];

/// A flow's packet as its file has it.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    headers: &'static [&'static str],
    fields: Vec<(String, Value)>,
}

/// A field that changes from packet to packet.
pub(super) struct Dynamic {
    pub(super) field: String,
    pub(super) draw: Table,
}

/// A packet as a stream has it.
pub(super) struct Made {
    pub(super) headers: Vec<toml::Value>,
    pub(super) size: u16,
    pub(super) dynamic: Vec<Dynamic>,
}

impl Packet {
    /// Reads `Packet.Udp{...}`.
    pub(super) fn read(value: &Value) -> Result<Self, Refused> {
        let wrong = |what: String| Err(Refused::new(value.line, what));
        let Kind::Call(name, arguments) = &value.kind else {
            return wrong("a packet is written as Packet.Udp{...}".into());
        };
        let Some(kind) = name.strip_prefix("Packet.").or(name.strip_prefix("packet.")) else {
            return wrong(format!("`{name}` is no packet: write Packet.Udp{{...}}"));
        };
        let Some((_, headers)) = KINDS.iter().find(|(known, _)| *known == kind.to_lowercase()) else {
            let known: Vec<&str> = KINDS.iter().map(|(known, _)| *known).collect();
            return wrong(format!("packets of kind {kind:?} are not known; known: {}", known.join(", ")));
        };
        let [Value { kind: Kind::Table(Fields { named, items }), .. }] = arguments.as_slice() else {
            return wrong("a packet's fields are a table".into());
        };
        if let Some(item) = items.first() {
            return Err(Refused::new(item.line, "a field has a name, as in udpDst = 42"));
        }
        Ok(Self { headers, fields: named.clone() })
    }

    /// Takes the fields that it does not have from its parent.
    pub(super) fn inherit(&mut self, parent: &Self) {
        let own: Vec<String> = self.fields.iter().map(|(key, _)| plain(key)).collect();
        self.fields.extend(parent.fields.iter().filter(|(key, _)| !own.contains(&plain(key))).cloned());
    }

    /// The headers with their values, and what changes.
    pub(super) fn made(&self, line: usize, converted: &mut Converted) -> Result<Made, Refused> {
        let (mut size, mut dynamic) = (None, Vec::new());
        let mut values: Vec<Table> = self.headers.iter().map(|_| Table::new()).collect();
        for (key, value) in &self.fields {
            if matches!(value.kind, Kind::Nil) {
                continue;
            }
            if plain(key) == "pktlength" {
                size = Some(length(value)?);
                continue;
            }
            let (index, header, field) = self.find(key, value.line)?;
            let (first, draw) = values_of(value, header, converted)?;
            values[index].extend(first.map(|first| (field.to_owned(), first)));
            dynamic.extend(draw.map(|draw| Dynamic { field: format!("{header}.{field}"), draw }));
        }
        let size = size.ok_or_else(|| Refused::new(line, "the packet has no pktLength"))?;
        let headers = self.headers.iter().zip(values).map(|(header, values)| {
            if values.is_empty() {
                (*header).into()
            } else {
                Table::from_iter([((*header).to_owned(), values.into())]).into()
            }
        });
        Ok(Made { headers: headers.collect(), size, dynamic })
    }

    /// The header's place, its name and the field's.
    fn find(&self, key: &str, line: usize) -> Result<(usize, &'static str, &'static str), Refused> {
        let found = NAMES.iter().find(|(known, _, _)| *known == plain(key));
        let (_, header, field) = found.ok_or_else(|| {
            Refused::new(
                line,
                format!("the field `{key}` is not known; take it out, and set it in the stream: docs/headers.md"),
            )
        })?;
        let index = self.headers.iter().position(|own| own == header);
        let index =
            index.ok_or_else(|| Refused::new(line, format!("the packet has no {header}, which `{key}` is of")))?;
        Ok((index, header, field))
    }
}

/// A field's name without capitals and underscores: older files write `eth_src`.
fn plain(key: &str) -> String {
    key.replace('_', "").to_lowercase()
}

fn length(value: &Value) -> Result<u16, Refused> {
    match value.kind {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        Kind::Number(len) if len.fract() == 0.0 && (14.0..=16_000.0).contains(&len) => Ok(len as u16),
        _ => Err(Refused::new(value.line, "pktLength is a number of bytes, from 14")),
    }
}

/// What a field has at first, where that is said, and how it changes.
fn values_of(
    value: &Value,
    header: &str,
    converted: &mut Converted,
) -> Result<(Option<toml::Value>, Option<Table>), Refused> {
    let Kind::Call(name, arguments) = &value.kind else { return Ok((Some(constant(value, header)?), None)) };
    let wrong = |what: &str| Refused::new(value.line, format!("{name}: {what}"));
    match (name.as_str(), arguments.as_slice()) {
        ("ip" | "mac", _) => Ok((Some(constant(value, header)?), None)),
        ("arp", _) => {
            converted.tell(
                value.line,
                "arp(...) is not asked: write the receiver's address in the stream; now it is broadcast",
            );
            Ok((Some("ff:ff:ff:ff:ff:ff".into()), None))
        }
        ("txQueue", _) => {
            converted.tell(value.line, "txQueue() is not known here: write the port's address in the stream");
            Ok((None, None))
        }
        ("range" | "randomRange", [from, rest @ ..]) => {
            let first = constant(from, header)?;
            let mut draw = table([("from", first.clone())]);
            if let Some(to) = rest.first() {
                draw.insert("to".to_owned(), constant(to, header)?);
            }
            match (name.as_str(), rest.get(1).map(|step| &step.kind)) {
                ("range", None) => {}
                #[allow(clippy::cast_possible_truncation, reason = "checked")]
                ("range", Some(Kind::Number(step))) if step.fract() == 0.0 && *step >= 1.0 => {
                    draw.insert("step".to_owned(), (*step as i64).into());
                }
                ("randomRange", None) if rest.len() == 1 => {
                    draw.insert("draw".to_owned(), "random".into());
                }
                _ => return Err(wrong("takes a first and a last value, and a range a whole step from 1")),
            }
            Ok((Some(first), Some(draw)))
        }
        ("list" | "randomList", [Value { kind: Kind::Table(Fields { named, items }), line }]) if named.is_empty() => {
            if items.is_empty() || items.len() > 16 {
                return Err(Refused::new(*line, format!("a list of {} values: an item takes 1 to 16", items.len())));
            }
            let values = items.iter().map(|item| constant(item, header)).collect::<Result<Vec<_>, _>>()?;
            let order = if name == "list" { "list" } else { "random" };
            let first = values.first().cloned();
            Ok((first, Some(table([("draw", order.into()), ("values", values.into())]))))
        }
        _ => Err(wrong("is not known; known: ip, mac, arp, txQueue, range, randomRange, list, randomList")),
    }
}

/// A number or an address.
fn constant(value: &Value, header: &str) -> Result<toml::Value, Refused> {
    let wrong = |what: String| Refused::new(value.line, what);
    let text = match &value.kind {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        Kind::Number(whole) if whole.fract() == 0.0 && (0.0..1e15).contains(whole) => return Ok(number(*whole as u64)),
        Kind::Bool(yes) => return Ok((*yes).into()),
        Kind::Text(text) => text,
        Kind::Call(name, arguments) if name == "ip" || name == "mac" => match arguments.as_slice() {
            [Value { kind: Kind::Text(text), .. }] => text,
            _ => return Err(wrong(format!("{name}: takes an address, as {name}\"...\""))),
        },
        _ => return Err(wrong("neither a number nor an address".to_owned())),
    };
    let is_address = text.parse::<perigee_guest::wire::Mac>().is_ok()
        || header == "ipv6" && text.parse::<Ipv6Addr>().is_ok()
        || header != "ipv6" && text.parse::<Ipv4Addr>().is_ok();
    if is_address { Ok(text.as_str().into()) } else { Err(wrong(format!("{text:?} is no address that {header} has"))) }
}
