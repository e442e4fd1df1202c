//! A reader of JSON for serde.

use super::error::Error;
use crate::text::Text;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer as _, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Longest string with escapes (`\n`, `\"`, ...) in bytes; one without may have any length.
const ESCAPED_MAX: usize = 256;

/// The reader: bytes and a place in them.
pub(super) struct Json<'de> {
    bytes: &'de [u8],
    at: usize,
}

impl<'de> Json<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte that is not white space, left where it is.
    #[inline(never)]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            if !byte.is_ascii_whitespace() {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    #[inline(never)]
    fn eat(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.malformed())
    }

    fn malformed(&self) -> Error {
        let mut text = Text::from("the configuration is not JSON at byte ");
        text.push_number(self.at as u64);
        Error::of(text)
    }

    /// Skips `word`, which begins here.
    #[inline(never)]
    fn word(&mut self, word: &str) -> Result<(), Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.malformed())
    }

    /// The raw inside of a string, and whether it has escapes.
    #[inline(never)]
    fn raw_string(&mut self) -> Result<(&'de str, bool), Error> {
        self.eat(b'"')?;
        let start = self.at;
        let mut escapes = false;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = true;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => return Err(self.malformed()),
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        self.at += 1;
        let text = core::str::from_utf8(raw).map_err(|_| self.malformed())?;
        Ok((text, escapes))
    }

    /// A string, and what it says where it has escapes.
    #[inline(never)]
    fn string(&mut self) -> Result<(&'de str, Option<Text<ESCAPED_MAX>>), Error> {
        self.begin(b'"', "a string")?;
        self.at -= 1;
        let (raw, escapes) = self.raw_string()?;
        if !escapes {
            return Ok((raw, None));
        }
        let text = unescape(raw).ok_or_else(|| Error::new(&["the string is too long or not valid"]))?;
        Ok((raw, Some(text)))
    }

    /// Skips the first byte of `what`, which must be here.
    #[inline(never)]
    fn begin(&mut self, first: u8, what: &str) -> Result<(), Error> {
        if self.peek() == Some(first) {
            self.at += 1;
            return Ok(());
        }
        Err(Error::new(&["expected ", what, ", found ", self.found()]))
    }

    /// `true` or `false`.
    #[inline(never)]
    fn bool(&mut self) -> Result<bool, Error> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| true),
            Some(b'f') => self.word("false").map(|()| false),
            _ => Err(Error::new(&["expected true or false, found ", self.found()])),
        }
    }

    /// A whole number: the error is a negative one.
    #[inline(never)]
    fn integer(&mut self) -> Result<Result<u64, i64>, Error> {
        self.peek();
        let text = self.number();
        if let Ok(number) = text.parse() {
            return Ok(Ok(number));
        }
        if let Ok(number) = text.parse() {
            return Ok(Err(number));
        }
        Err(Error::new(&["expected a whole number, found ", if text.is_empty() { self.found() } else { text }]))
    }

    /// The text of a number.
    fn number(&mut self) -> &'de str {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(|b| b.is_ascii_digit() || b"+-.eE".contains(b)) {
            self.at += 1;
        }
        let raw = self.bytes.get(start..self.at).unwrap_or_default();
        core::str::from_utf8(raw).unwrap_or_default()
    }

    /// What is here, in the operator's words.
    fn found(&self) -> &'de str {
        match self.bytes.get(self.at) {
            Some(b'{') => "a table",
            Some(b'[') => "a list",
            Some(b'n') => "nothing",
            // Strings and numbers as they are written, up to what ends them.
            _ => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                let end = rest.iter().position(|b| b",]}".contains(b)).unwrap_or(rest.len());
                core::str::from_utf8(&rest[..end]).unwrap_or("something else")
            }
        }
    }
}

/// Replaces the escapes of a JSON string.
#[inline(never)]
fn unescape(raw: &str) -> Option<Text<ESCAPED_MAX>> {
    let mut text = Text::new();
    if raw.len() > ESCAPED_MAX {
        return None;
    }
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        let mut skip = 2;
        match escape {
            b'n' => text.push("\n"),
            b't' => text.push("\t"),
            b'r' => text.push("\r"),
            b'b' => text.push("\u{8}"),
            b'f' => text.push("\u{c}"),
            b'u' => {
                // The host writes only control characters like this, so there are no surrogate pairs.
                let code = u32::from_str_radix(rest.get(at + 2..at + 6)?, 16).ok()?;
                skip = 6;
                text.push(char::from_u32(code)?.encode_utf8(&mut [0; 4]))
            }
            b'"' | b'\\' | b'/' => text.push(rest.get(at + 1..at + 2)?),
            _ => return None,
        };
        rest = rest.get(at + skip..)?;
    }
    text.push(rest);
    Some(text)
}

/// Methods that do what another one does.
macro_rules! forward {
    ($($to:ident: $($from:ident)+;)+) => {
        $($(
            fn $from<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
                self.$to(visitor)
            }
        )+)+
    };
}

impl<'de> Deserializer<'de> for &mut Json<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek() {
            Some(b'"') => self.deserialize_str(visitor),
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'n') => self.deserialize_unit(visitor),
            _ => self.deserialize_i64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.bool().and_then(|value| visitor.visit_bool(value))
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.integer()? {
            Ok(number) => visitor.visit_u64(number),
            Err(number) => visitor.visit_i64(number),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.string()? {
            (text, None) => visitor.visit_borrowed_str(text),
            (_, Some(text)) => visitor.visit_str(text.as_str()),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.word("null").and_then(|()| visitor.visit_unit())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.begin(b'[', "a list")?;
        let value = visitor.visit_seq(Items { json: self, first: true, key: "" })?;
        self.eat(b']').map(|()| value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.begin(b'{', "a table")?;
        let value = visitor.visit_map(Items { json: self, first: true, key: "" })?;
        self.eat(b'}').map(|()| value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.peek();
        let text = self.number();
        text.parse()
            .map_err(|_| Error::new(&["expected a number, found ", self.found()]))
            .and_then(|number| visitor.visit_f64(number))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek() == Some(b'n') {
            self.word("null").and_then(|()| visitor.visit_none())
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if self.peek() != Some(b'"') {
            let mut text = Text::from("expected one of the words");
            for word in known {
                text.push(" ").push(word);
            }
            return Err(Error::of(text));
        }
        visitor.visit_enum(Word(self.raw_string()?.0))
    }

    forward! {
        deserialize_i64: deserialize_i8 deserialize_i16 deserialize_i32;
        deserialize_i64: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64;
        deserialize_str: deserialize_string deserialize_identifier deserialize_char;
    }

    serde::forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit_struct tuple tuple_struct ignored_any
    }
}

/// The items of a list, or the keys and values of a table.
struct Items<'a, 'de> {
    json: &'a mut Json<'de>,
    first: bool,
    key: &'de str,
}

impl Items<'_, '_> {
    /// Moves to the next item, where there is one before `end`.
    #[inline(never)]
    fn advance(&mut self, end: u8) -> Result<bool, Error> {
        if self.json.peek() == Some(end) {
            return Ok(false);
        }
        if !self.first {
            self.json.eat(b',')?;
        }
        self.first = false;
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.advance(b']')? { seed.deserialize(&mut *self.json).map(Some) } else { Ok(None) }
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Error;

    #[inline(never)]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if !self.advance(b'}')? {
            return Ok(None);
        }
        self.key = self.json.raw_string()?.0;
        let key: StrDeserializer<'_, Error> = self.key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    #[inline(never)]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.json.eat(b':')?;
        seed.deserialize(&mut *self.json).map_err(|error| error.at(self.key))
    }
}

/// A word out of a fixed list: the only kind of enum that a configuration needs.
struct Word<'de>(&'de str);

impl<'de> EnumAccess<'de> for Word<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let word: StrDeserializer<'_, Error> = self.0.into_deserializer();
        seed.deserialize(word).map(|variant| (variant, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(Error::new(&["\"", self.0, "\" cannot be written as a word alone"]))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(Error::new(&["\"", self.0, "\" cannot be written as a word alone"]))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        Err(Error::new(&["\"", self.0, "\" cannot be written as a word alone"]))
    }
}
