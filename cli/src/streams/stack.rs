//! A stack of headers by their names, and the packet that it makes.

use super::value;
use perigee_guest::wire::{DOCS, Ethernet, Format, HEADERS, Header, Layers, Places, TYPED, checksum};
use perigee_runtime::config::{Problem, Severity, closest};
use toml::{Table, Value};

/// The key for a header's variable part.
const OPTIONS: &str = "options";

/// A header of a stack.
struct Part<'a> {
    /// Its number among the SDK's headers.
    number: usize,
    /// What it is called in the file.
    name: &'a str,
    fields: Option<&'a Table>,
    options: Vec<u8>,
    /// Where it begins.
    start: usize,
}

impl Part<'_> {
    fn format(&self) -> &'static Format {
        &HEADERS[self.number].format
    }

    fn end(&self) -> usize {
        self.start + self.format().len + self.options.len()
    }
}

/// The packet of these headers with this payload behind them: each header says which one follows and how long it is, then it has
/// the values of the file, and all checksums are right. `path` is where the headers stand in the file.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn packet(headers: &[Value], payload: &[u8], path: &str) -> Result<Vec<u8>, Problem> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (index, entry) in headers.iter().enumerate() {
        let start = parts.last().map_or(0, Part::end);
        parts.push(part(entry, start, &format!("{path}[{index}]"))?);
    }
    if parts.first().is_none_or(|first| *first.format() != Ethernet::INFO.format) {
        let what = "a packet begins with an Ethernet header".to_owned();
        return Err(problem(path.to_owned(), what, "as in headers = [ \"ethernet\", \"ipv4\", \"udp\" ]"));
    }
    let end = parts.last().map_or(0, Part::end);
    let mut packet = vec![0; end];
    packet.extend(payload);
    for (index, part) in parts.iter().enumerate() {
        let own = &mut packet[part.start..];
        (TYPED[part.number].initial)(own);
        own[part.format().len..][..part.options.len()].copy_from_slice(&part.options);
        if let Some(next) = parts.get(index + 1) {
            (TYPED[part.number].set_next)(own, next.format());
        }
        let behind = own.len() - part.format().len - part.options.len();
        // There are as many bytes as the header has.
        let _ = HEADERS[part.number].set_lengths(own, part.options.len(), behind);
    }
    set_fields(&parts, &mut packet, path)?;
    let places: Places = Layers::new(&packet).of_template().collect();
    follow(&parts, &places, path)?;
    checksum::fill_places(&mut packet, &places);
    // A checksum that the file says stays as it is.
    set_fields(&parts, &mut packet, path)?;
    Ok(packet)
}

/// Reads an entry of the list: a name, or a name with values.
fn part<'a>(entry: &'a Value, start: usize, path: &str) -> Result<Part<'a>, Problem> {
    let only = entry.as_table().filter(|table| table.len() == 1).and_then(|table| table.iter().next());
    let (name, fields) = match (entry, only) {
        (Value::String(name), _) => (name.as_str(), None),
        (_, Some((name, Value::Table(fields)))) => (name.as_str(), Some(fields)),
        (_, Some((name, _))) => {
            let help = "as in { ipv4 = { source = \"10.0.0.1\" } }";
            return Err(problem(format!("{path}.{name}"), format!("{name}: its values are no table"), help));
        }
        _ => {
            let help = "as in \"udp\", or { udp = { destination_port = 5060 } }";
            return Err(problem(
                path.to_owned(),
                "an entry is a header's name, or a name with its values".into(),
                help,
            ));
        }
    };
    let at = if fields.is_some() { format!("{path}.{name}") } else { path.to_owned() };
    let Some(number) = HEADERS.iter().position(|info| called(info.format.name, name)) else {
        return Err(unknown("header", name, HEADERS.iter().map(|info| spelt(info.format.name)), at));
    };
    let options = fields.and_then(|fields| fields.get(OPTIONS)).filter(|_| !has_field(number, OPTIONS));
    let options = match options {
        None => Vec::new(),
        Some(value) => value.as_str().and_then(value::digits).ok_or_else(|| {
            let what = format!("{name}: options are bytes in hexadecimal digits");
            problem(format!("{at}.{OPTIONS}"), what, "as in options = \"01010101\"")
        })?,
    };
    Ok(Part { number, name, fields, options, start })
}

fn has_field(number: usize, name: &str) -> bool {
    HEADERS[number].format.fields.iter().any(|field| field.name == name)
}

/// Writes the values of the file.
fn set_fields(parts: &[Part<'_>], packet: &mut [u8], path: &str) -> Result<(), Problem> {
    for (index, part) in parts.iter().enumerate() {
        for (key, value) in part.fields.into_iter().flatten() {
            let at = format!("{path}[{index}].{}.{key}", part.name);
            let Some(field) = part.format().fields.iter().find(|field| field.name == key) else {
                if key == OPTIONS {
                    continue;
                }
                let known = part.format().fields.iter().map(|field| field.name.to_owned());
                return Err(unknown(&format!("field of {}", part.name), key, known, at));
            };
            let written = value::write(&field.after(part.start), value, packet);
            written.map_err(|what| problem(at, format!("{}.{key}: {what}", part.name), ""))?;
        }
    }
    Ok(())
}

/// Whether the packet's headers lead from one to the next: whoever receives it must find them.
fn follow(parts: &[Part<'_>], found: &Places, path: &str) -> Result<(), Problem> {
    let is_there = |index: usize, part: &Part<'_>| {
        found.get(index).is_some_and(|place| place.info.format == *part.format() && place.start == part.start)
    };
    let missing = parts.iter().enumerate().find(|(index, part)| !is_there(*index, part));
    let Some((index, _)) = missing else { return Ok(()) };
    let part = &parts[index];
    let before = parts.get(index.wrapping_sub(1)).map_or("nothing", |before| before.name);
    let what = format!("{} is not found behind {before}: nothing in {before} says that it follows", part.name);
    let help = "put the header between them that is missing, and set types and lengths only where they are right: they are \
                filled in by themselves";
    Err(problem(format!("{path}[{index}]"), what, help))
}

/// Whether a protocol's name is meant: in letters of any case, with `-` for spaces.
fn called(protocol: &str, name: &str) -> bool {
    spelt(protocol) == name.to_lowercase()
}

/// A header's name as a file has it.
pub(crate) fn spelt(protocol: &str) -> String {
    protocol.to_lowercase().replace(' ', "-")
}

fn unknown(kind: &str, name: &str, known: impl Iterator<Item = String>, path: String) -> Problem {
    let known: Vec<String> = known.collect();
    let meant = closest(name, known.iter().map(String::as_str)).map(|meant| format!("did you mean {meant:?}? "));
    // The headers with their fields fill a page of the book.
    let list = if known.len() > DOCS.len() / 2 {
        "docs/headers.md has all".into()
    } else {
        format!("known: {}", known.join(", "))
    };
    problem(path, format!("unknown {kind} {name:?}"), &format!("{}{list}", meant.unwrap_or_default()))
}

pub(super) fn problem(path: String, what: String, help: &str) -> Problem {
    Problem { path, what, help: help.to_owned(), severity: Severity::Error }
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_guest::wire::dump;

    fn made(headers: &str, payload: &[u8]) -> Result<Vec<u8>, Problem> {
        let table: Table = toml::from_str(&format!("headers = {headers}")).unwrap();
        packet(table["headers"].as_array().unwrap(), payload, "stream[0].headers")
    }

    fn shown(headers: &str) -> String {
        let mut text = String::new();
        dump(&made(headers, &[0; 18]).unwrap(), &mut text).unwrap();
        text
    }

    #[test]
    fn headers_lead_from_one_to_the_next() {
        let text = shown(
            r#"[ { ethernet = { destination = "02:00:00:00:00:02" } }, { vlan = { vid = 5 } },
                 { ipv4 = { source = "10.0.0.1", destination = "10.0.0.2" } }, { udp = { destination_port = 5060 } } ]"#,
        );
        for part in
            ["VLAN pcp=0 dei=0 vid=5", "destination=10.0.0.2", "destination_port=5060 length=26", "payload 18 bytes"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let tunnel = shown(r#"["ethernet", "ipv6", "udp", "vxlan", "ethernet", "ipv4", "tcp"]"#);
        assert_eq!(tunnel.lines().filter(|line| !line.starts_with("payload")).count(), 7, "{tunnel}");
        assert!(shown(r#"["ethernet", "mpls", "ipv4", "udp"]"#).contains("\nUDP "));
    }

    #[test]
    fn checksums_are_right_unless_somebody_says_so() {
        let good = made(r#"["ethernet", "ipv4", "udp"]"#, b"perigee").unwrap();
        assert_eq!(checksum::check(&good), Ok(()));
        let none = made(r#"["ethernet", "ipv4", { udp = { checksum = 0 } }]"#, b"perigee").unwrap();
        assert_eq!(none[40..42], [0, 0]);
        let options = made(r#"["ethernet", { ipv4 = { options = "01010101" } }, "udp"]"#, b"perigee").unwrap();
        assert_eq!((options[14], options.len(), checksum::check(&options)), (0x46, 53, Ok(())));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |headers: &str| {
            let problem = made(headers, &[]).unwrap_err();
            (problem.path.trim_start_matches("stream[0].headers").to_owned(), problem.to_string())
        };
        let (path, text) = told(r#"["ethernet", { ipv5 = {} }]"#);
        assert_eq!(
            (&*path, &*text),
            ("[1].ipv5", "unknown header \"ipv5\"; did you mean \"ipv4\"? docs/headers.md has all")
        );
        let (path, text) = told(r#"["ethernet", "ipv4", { udp = { port = 1 } }]"#);
        assert_eq!(path, "[2].udp.port");
        assert!(text.contains("known: source_port, destination_port"), "{text}");
        assert_eq!(told(r#"["ethernet", "udp"]"#).0, "[1]");
        assert_eq!(told(r#"["ipv4"]"#).0, "");
        assert_eq!(told(r#"["ethernet", { ipv4 = { ttl = 300 } }]"#).0, "[1].ipv4.ttl");
        assert_eq!(told(r#"["ethernet", { ipv4 = 4 }]"#).0, "[1].ipv4");
        assert_eq!(told("[ 7 ]").0, "[0]");
        assert_eq!(told(r#"["ethernet", { ipv4 = { options = "0" } }]"#).0, "[1].ipv4.options");
    }
}
