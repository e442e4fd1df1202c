//! YAML as a tree of values with their lines. The parser is saphyr-parser's; anchors and tags, which no profile has, are refused, so
//! that a short text cannot stand for a long one.

use super::Refused;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

/// Values in each other, at most.
const DEPTH: usize = 32;

/// A value and its line.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A text; whether it stood between quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Reads a text with one document.
pub(super) fn read(text: &str) -> Result<Node, Refused> {
    let mut events = Events(Parser::new_from_str(text));
    let (mut event, mut line) = events.next()?;
    while matches!(event, Event::StreamStart | Event::DocumentStart(_)) {
        (event, line) = events.next()?;
    }
    if event == Event::StreamEnd {
        return Err(Refused::new(line, "the file is empty"));
    }
    let node = events.node(event, line, DEPTH)?;
    events.next()?;
    match events.next()? {
        (Event::StreamEnd, _) => Ok(node),
        (_, line) => Err(Refused::new(line, "a second document begins: a profile has one")),
    }
}

struct Events<'t>(Parser<'t, StrInput<'t>>);

impl<'t> Events<'t> {
    fn next(&mut self) -> Result<(Event<'t>, usize), Refused> {
        let unreadable = |error: &ScanError| Refused::new(error.marker().line(), format!("no YAML: {}", error.info()));
        let event: Option<Result<(Event<'t>, Span), ScanError>> = self.0.next_event();
        let (event, span) =
            event.ok_or_else(|| Refused::new(1, "no YAML: it ends early"))?.map_err(|error| unreadable(&error))?;
        Ok((event, span.start.line()))
    }

    fn node(&mut self, event: Event<'t>, line: usize, depth: usize) -> Result<Node, Refused> {
        let depth = depth.checked_sub(1).ok_or_else(|| Refused::new(line, "values stand too deep in each other"))?;
        let unknown = |what: &str| Err(Refused::new(line, format!("{what} are not read")));
        let kind = match event {
            Event::Alias(_)
            | Event::Scalar(_, _, 1.., _)
            | Event::SequenceStart(1.., _)
            | Event::MappingStart(1.., _) => {
                return unknown("anchors and aliases");
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return unknown("tags");
            }
            Event::Scalar(text, style, _, _) => Kind::Scalar(text.into_owned(), style != ScalarStyle::Plain),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Kind::List(items),
                        (event, line) => items.push(self.node(event, line, depth)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                loop {
                    match self.next()? {
                        (Event::MappingEnd, _) => break Kind::Map(entries),
                        (Event::Scalar(key, ..), at) => {
                            if entries.iter().any(|(known, _)| *known == *key) {
                                return Err(Refused::new(at, format!("`{key}` stands there twice")));
                            }
                            let (event, line) = self.next()?;
                            entries.push((key.into_owned(), self.node(event, line, depth)?));
                        }
                        (_, line) => return Err(Refused::new(line, "a key is no text")),
                    }
                }
            }
            _ => return Err(Refused::new(line, "no value where one belongs")),
        };
        Ok(Node { line, kind })
    }
}

impl Node {
    /// What the error says that needs another kind of value.
    fn wanted(&self, what: &str) -> Refused {
        let is = match &self.kind {
            Kind::Scalar(text, _) => format!("{text:?} is"),
            Kind::List(_) => "a list is".to_owned(),
            Kind::Map(_) => "a table is".to_owned(),
        };
        Refused::new(self.line, format!("{is} not what belongs here: {what}"))
    }

    /// The value of a key of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Kind::Map(entries) = &self.kind else { return None };
        entries.iter().find(|(known, _)| known == key).map(|(_, node)| node)
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &str) -> Result<&Node, Refused> {
        self.get(key).ok_or_else(|| Refused::new(self.line, format!("`{key}` is missing")))
    }

    /// A table's entries, which are all of these keys.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Refused> {
        let Kind::Map(entries) = &self.kind else { return Err(self.wanted("a table")) };
        match entries.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some((key, node)) => Err(Refused::new(
                node.line,
                format!("`{key}` has no counterpart here; known keys: {}", known.join(", ")),
            )),
        }
    }

    pub(super) fn list(&self) -> Result<&[Node], Refused> {
        match &self.kind {
            Kind::List(items) => Ok(items),
            _ => Err(self.wanted("a list")),
        }
    }

    pub(super) fn text(&self) -> Result<&str, Refused> {
        match &self.kind {
            Kind::Scalar(text, _) => Ok(text),
            _ => Err(self.wanted("a text")),
        }
    }

    /// Nothing: an empty value, list or table.
    pub(super) fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Scalar(text, quoted) => {
                text.is_empty() || !quoted && ["~", "null", "Null", "NULL"].contains(&&**text)
            }
            Kind::List(items) => items.is_empty(),
            Kind::Map(entries) => entries.is_empty(),
        }
    }

    pub(super) fn bool(&self) -> Result<bool, Refused> {
        match self.text()?.to_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err(self.wanted("true or false")),
        }
    }

    pub(super) fn signed(&self) -> Result<i64, Refused> {
        let number = integer(self.text()?).and_then(|number| i64::try_from(number).ok());
        number.ok_or_else(|| self.wanted("a whole number"))
    }

    /// A number from 0; where TRex takes them, addresses too.
    pub(super) fn unsigned(&self) -> Result<u64, Refused> {
        let text = self.text()?;
        let number = match text.parse::<std::net::Ipv4Addr>() {
            Ok(address) => Some(address.to_bits().into()),
            Err(_) => integer(text).and_then(|number| u64::try_from(number).ok()),
        };
        number.ok_or_else(|| self.wanted("a whole number from 0"))
    }

    pub(super) fn number(&self) -> Result<f64, Refused> {
        let text = self.text()?;
        let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = match integer(text) {
            Some(number) => number.to_string().parse().ok(),
            None if is_whole => None,
            None => text.parse().ok(),
        };
        number.filter(|number: &f64| number.is_finite() && *number >= 0.0).ok_or_else(|| self.wanted("a number from 0"))
    }
}

/// A whole number as TRex's reader has it (PyYAML, by YAML 1.1): also from base 16 and 2, of base 8 where it begins with 0, and with `_` among its digits.
fn integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        [b'_', ..] => return None,
        _ => (10, digits),
    };
    let digits = digits.replace('_', "");
    let number = i128::from_str_radix(&digits, base).ok().filter(|_| digits.starts_with(|c: char| c.is_digit(base)))?;
    Some(if text.starts_with('-') { -number } else { number })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn values_have_lines() {
        let root =
            read("# profile\n- name: a\n  stream:\n    on: True\n    vm: [ {x: 0x10, # why\n           \"y\" : -2,\n     }, ]\n").unwrap();
        let stream = root.list().unwrap()[0].need("stream").unwrap();
        assert_eq!((stream.line, stream.need("on").unwrap().bool()), (4, Ok(true)));
        let vm = &stream.need("vm").unwrap().list().unwrap()[0];
        assert_eq!((vm.need("x").unwrap().unsigned(), vm.need("y").unwrap().signed()), (Ok(16), Ok(-2)));
        assert_eq!(vm.need("y").unwrap().line, 6);
        let told = vm.only(&["x"]).unwrap_err();
        assert_eq!((told.line, &*told.what), (6, "`y` has no counterpart here; known keys: x"));
    }

    /// As PyYAML 6.0.4 has them: 010 is 8, and 08 a text.
    #[test]
    fn numbers_are_those_of_yaml_1_1() {
        let node = |text: &str| Node { line: 1, kind: Kind::Scalar(text.to_owned(), false) };
        for (text, number) in
            [("010", 8_u64), ("1_000", 1_000), ("0b101", 5), ("0x1F", 31), ("+7", 7), ("0", 0), ("00", 0), ("0_7", 7)]
        {
            assert_eq!((node(text).unsigned(), node(text).signed()), (Ok(number), Ok(number.cast_signed())), "{text}");
            assert_eq!(node(text).number().ok(), u32::try_from(number).ok().map(f64::from), "{text}");
        }
        assert_eq!(node("-0x10").signed(), Ok(-16));
        assert_eq!(node("16.0.0.1").unsigned(), Ok(0x1000_0001));
        assert_eq!(node("0.5").number(), Ok(0.5));
        for text in ["08", "0x", "0x-5", "", "-", "_1", "0o10"] {
            assert!(node(text).signed().is_err() && node(text).number().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused_with_its_line() {
        let told = |text: &str| read(text).map(|_| ()).unwrap_err();
        assert_eq!(told("a: &x 1\nb: *x\n"), Refused::new(1, "anchors and aliases are not read"));
        assert_eq!(told("a: !!python/object 1\n"), Refused::new(1, "tags are not read"));
        assert_eq!(told("a: 1\na: 2\n").line, 2);
        assert_eq!(told("---\na: 1\n---\nb: 2\n").line, 3);
        assert!(told("a: [1, 2\n").what.starts_with("no YAML: "));
        assert!(told(&"[".repeat(100)).what.contains("too deep"));
        assert!(told("").what.contains("empty"));
    }
}
