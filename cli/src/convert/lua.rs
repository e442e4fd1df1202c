//! The part of Lua that flow files are written in: literals, tables, and calls of names. Nothing runs; anything else is refused.

use super::Refused;
use std::iter::Peekable;
use std::str::CharIndices;

/// Values in each other, at most.
const DEPTH: usize = 32;

/// A value and its line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Nil,
    Bool(bool),
    Number(f64),
    Text(String),
    Table(Table),
    /// A call: `range(1, 2)`, `ip"10.0.0.1"`, `Packet.Udp{...}`; its name with the dots in it.
    Call(String, Vec<Value>),
}

/// A table: what has a name, and what has a number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    pub(super) named: Vec<(String, Value)>,
    pub(super) items: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(f64),
    Sign(char),
}

/// Reads a file: calls, one after the other.
pub(super) fn read(text: &str) -> Result<Vec<Value>, Refused> {
    let mut tokens = Tokens { all: tokens(text)?, at: 0 };
    let mut calls = Vec::new();
    while let Some((line, token)) = tokens.peek() {
        if token == Token::Sign(';') {
            tokens.at += 1;
            continue;
        }
        match tokens.value(DEPTH)? {
            call @ Value { kind: Kind::Call(..), .. } => calls.push(call),
            _ => {
                return Err(Refused::new(
                    line,
                    "a flow file is read as calls alone, as Flow{...}: no other Lua is run",
                ));
            }
        }
    }
    Ok(calls)
}

struct Tokens {
    all: Vec<(usize, Token)>,
    at: usize,
}

impl Tokens {
    fn peek(&self) -> Option<(usize, Token)> {
        self.all.get(self.at).cloned()
    }

    fn next(&mut self, what: &str) -> Result<(usize, Token), Refused> {
        let line = self.all.last().map_or(1, |(line, _)| *line);
        let token = self.peek().ok_or_else(|| Refused::new(line, format!("the file ends where {what} belongs")))?;
        self.at += 1;
        Ok(token)
    }

    fn is_sign(&self, sign: char) -> bool {
        self.peek().is_some_and(|(_, token)| token == Token::Sign(sign))
    }

    fn take(&mut self, sign: char) -> bool {
        let is_there = self.is_sign(sign);
        self.at += usize::from(is_there);
        is_there
    }

    fn value(&mut self, depth: usize) -> Result<Value, Refused> {
        let (line, token) = self.next("a value")?;
        let depth = depth.checked_sub(1).ok_or_else(|| Refused::new(line, "values stand too deep in each other"))?;
        let kind = match token {
            Token::Text(text) => Kind::Text(text),
            Token::Number(number) => Kind::Number(number),
            Token::Sign('-') => match self.next("a number")? {
                (_, Token::Number(number)) => Kind::Number(-number),
                (line, _) => return Err(Refused::new(line, "no number behind `-`")),
            },
            Token::Sign('{') => Kind::Table(self.table(depth)?),
            Token::Name(name) => self.named(line, name, depth)?,
            Token::Sign(sign) => return Err(Refused::new(line, format!("`{sign}` where a value belongs"))),
        };
        if let Some((line, Token::Sign(sign @ ('+' | '*' | '/' | '%' | '^' | '.' | '<' | '>' | '#' | '~')))) =
            self.peek()
        {
            return Err(Refused::new(line, format!("`{sign}` reckons, and no Lua is run: write the value")));
        }
        Ok(Value { line, kind })
    }

    /// A word of Lua, or a call.
    fn named(&mut self, line: usize, mut name: String, depth: usize) -> Result<Kind, Refused> {
        match name.as_str() {
            "nil" => return Ok(Kind::Nil),
            "true" | "false" => return Ok(Kind::Bool(name == "true")),
            "local" | "function" | "return" | "if" | "for" | "while" | "repeat" | "do" | "require" => {
                return Err(Refused::new(line, format!("`{name}` is a program, and no Lua is run: write its values")));
            }
            _ => {}
        }
        while self.take('.') {
            match self.next("a name")? {
                (_, Token::Name(part)) => name = format!("{name}.{part}"),
                (line, _) => return Err(Refused::new(line, "no name behind `.`")),
            }
        }
        let arguments = match self.peek() {
            Some((line, Token::Text(text))) => {
                self.at += 1;
                vec![Value { line, kind: Kind::Text(text) }]
            }
            Some((_, Token::Sign('{'))) => vec![self.value(depth)?],
            Some((_, Token::Sign('('))) => {
                self.at += 1;
                let mut arguments = Vec::new();
                while !self.take(')') {
                    arguments.push(self.value(depth)?);
                    self.separated(')', ",")?;
                }
                arguments
            }
            _ => return Err(Refused::new(line, format!("`{name}` is a variable, and no Lua is run: write its value"))),
        };
        Ok(Kind::Call(name, arguments))
    }

    fn table(&mut self, depth: usize) -> Result<Table, Refused> {
        let mut table = Table::default();
        while !self.take('}') {
            let key = match (self.peek(), self.all.get(self.at + 1)) {
                (Some((_, Token::Name(key))), Some((_, Token::Sign('=')))) => {
                    self.at += 2;
                    Some(key)
                }
                (Some((line, Token::Sign('['))), _) => return Err(Refused::new(line, "keys in brackets are not read")),
                _ => None,
            };
            let value = self.value(depth)?;
            match key {
                Some(key) => table.named.push((key, value)),
                None => table.items.push(value),
            }
            self.separated('}', ",;")?;
        }
        Ok(table)
    }

    /// What separates two values stands here, or what ends them comes.
    fn separated(&mut self, end: char, separators: &str) -> Result<(), Refused> {
        if self.is_sign(end) || separators.chars().any(|sign| self.take(sign)) {
            return Ok(());
        }
        let (line, _) = self.next(&format!("`{end}`"))?;
        Err(Refused::new(line, format!("neither `,` nor `{end}` where one belongs")))
    }
}

type Characters<'t> = Peekable<CharIndices<'t>>;

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Refused> {
    let mut characters = text.char_indices().peekable();
    let (mut line, mut found) = (1, Vec::new());
    while let Some((at, c)) = characters.next() {
        let token = match c {
            '\n' => {
                line += 1;
                continue;
            }
            c if c.is_whitespace() => continue,
            '-' if text[at..].starts_with("--") => {
                line += comment(&text[at..], &mut characters);
                continue;
            }
            '"' | '\'' => Token::Text(quoted(c, line, &mut characters)?),
            '0'..='9' => number(&text[at..], line, &mut characters)?,
            c if c.is_ascii_alphabetic() || c == '_' => {
                let len = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len() - at);
                pass(&mut characters, len);
                Token::Name(text[at..at + len].to_owned())
            }
            c => Token::Sign(c),
        };
        found.push((line, token));
    }
    Ok(found)
}

/// Passes over a comment, of one line or of several; returns how many line ends were in it.
fn comment(text: &str, characters: &mut Characters<'_>) -> usize {
    let end = if text.starts_with("--[[") {
        text.find("]]").map_or(text.len(), |end| end + 2)
    } else {
        text.find('\n').unwrap_or(text.len())
    };
    let rest = text[..end].chars().count() - 1;
    characters.by_ref().take(rest).filter(|(_, c)| *c == '\n').count()
}

/// Passes over the rest of a word of `len` characters, of which the first has been taken.
fn pass(characters: &mut Characters<'_>, len: usize) {
    for _ in 1..len {
        characters.next();
    }
}

fn quoted(quote: char, line: usize, characters: &mut Characters<'_>) -> Result<String, Refused> {
    let mut text = String::new();
    loop {
        match characters.next().map(|(_, c)| c) {
            Some(c) if c == quote => return Ok(text),
            Some('\\') => return Err(Refused::new(line, "texts with `\\` are not read")),
            None | Some('\n') => return Err(Refused::new(line, "a text has no end")),
            Some(c) => text.push(c),
        }
    }
}

fn number(text: &str, line: usize, characters: &mut Characters<'_>) -> Result<Token, Refused> {
    let len = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(text.len());
    let digits = &text[..len];
    pass(characters, len);
    #[allow(clippy::cast_precision_loss, reason = "Lua's numbers are these")]
    let number = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(|number| number as f64),
        None => digits.parse().ok(),
    };
    number.map(Token::Number).ok_or_else(|| Refused::new(line, format!("{digits:?} is no number")))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn calls_and_tables_are_read() {
        let text = "-- a comment\n--[[ two\nlines ]] Flow{\"a\", Packet.Udp{ ip4Src = range(ip\"10.0.0.1\", 0x10), n = -1.5 };\n  on = true, }\n";
        let calls = read(text).unwrap();
        let Kind::Call(name, arguments) = &calls[0].kind else { panic!("{calls:?}") };
        let Kind::Table(flow) = &arguments[0].kind else { panic!("{arguments:?}") };
        assert_eq!((name.as_str(), calls[0].line, flow.items.len(), flow.named[0].0.as_str()), ("Flow", 3, 2, "on"));
        assert_eq!((flow.named[0].1.line, &flow.named[0].1.kind), (4, &Kind::Bool(true)));
        let Kind::Call(name, fields) = &flow.items[1].kind else { panic!("{flow:?}") };
        let Kind::Table(fields) = &fields[0].kind else { panic!("{fields:?}") };
        assert_eq!((name.as_str(), &fields.named[1].1.kind), ("Packet.Udp", &Kind::Number(-1.5)));
        let Kind::Call(range, bounds) = &fields.named[0].1.kind else { panic!("{fields:?}") };
        assert_eq!((range.as_str(), &bounds[1].kind), ("range", &Kind::Number(16.0)));
    }

    #[test]
    fn programs_are_refused_with_their_line() {
        for (text, line, part) in [
            ("local x = 5\n", 1, "`local` is a program"),
            ("\nFlow{\"a\", rate = 5 * 2}\n", 2, "`*` reckons"),
            ("Flow{\"a\",\n rate = RATE}\n", 2, "`RATE` is a variable"),
            ("Flow{\"a\", mode = function() end}\n", 1, "`function` is a program"),
            ("Flow{\"a\"\n", 1, "ends where"),
            ("Flow{\"a\" \"b\"}\n", 1, "neither `,` nor `}`"),
            ("Flow{[1] = 2}\n", 1, "brackets"),
            ("Flow{\"a}\n", 1, "no end"),
            ("{}\n", 1, "calls alone"),
            ("Flow{1e}\n", 1, "no number"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.line == line && told.what.contains(part), "{text:?}: {told:?}");
        }
        assert!(read(&format!("F{}", "{".repeat(100))).unwrap_err().what.contains("too deep"));
        assert_eq!(read(" -- nothing"), Ok(vec![]));
    }
}
