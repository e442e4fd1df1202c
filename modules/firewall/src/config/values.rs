//! Values as an operator writes them: a number, a text, or a list of these.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use perigee_guest::serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

/// A number or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Number(u64),
    Text(&'a str),
}

/// One value or a list of them; none where the key is not there.
#[derive(Debug, Default)]
pub(super) struct Values<'a>(pub(super) Vec<Value<'a>>);

/// Items of a list, without a limit but the heap's.
#[derive(Debug)]
pub(super) struct Items<T>(pub(super) Vec<T>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Values(all) = Values::deserialize(deserializer)?;
        match all.as_slice() {
            [one] => Ok(*one),
            _ => Err(de::Error::custom("expected a number or a text, found a list")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValuesVisitor;
        impl<'de> Visitor<'de> for ValuesVisitor {
            type Value = Values<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a text, or a list of these")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Values<'de>, E> {
                Ok(Values(vec![Value::Number(number)]))
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Values<'de>, E> {
                Ok(Values(vec![Value::Text(text)]))
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Values<'de>, E> {
                Err(E::custom("expected a text without escapes"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(value) = seq.next_element::<Value<'de>>()? {
                    all.push(value);
                }
                if all.is_empty() {
                    Err(de::Error::custom("a list of nothing is met by nothing"))
                } else {
                    Ok(Values(all))
                }
            }
        }
        deserializer.deserialize_any(ValuesVisitor)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor<T>(Vec<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ItemsVisitor<T> {
            type Value = Items<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Items<T>, A::Error> {
                loop {
                    match seq.next_element() {
                        Ok(Some(item)) => self.0.push(item),
                        Ok(None) => return Ok(Items(self.0)),
                        // Which one it is matters more than under which key it stands.
                        Err(error) => {
                            return Err(de::Error::custom(format_args!("number {}: {error}", self.0.len() + 1)));
                        }
                    }
                }
            }
        }
        deserializer.deserialize_seq(ItemsVisitor(Vec::new()))
    }
}
