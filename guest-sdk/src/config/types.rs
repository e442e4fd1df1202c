//! Types of configuration values.

use crate::text::Text;
use crate::wire::Mac;
use core::fmt;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Unexpected, Visitor};

/// A list of at most `N` values.
#[derive(Clone, Copy, Debug)]
pub struct List<T, const N: usize> {
    items: [Option<T>; N],
}

impl<T, const N: usize> List<T, N> {
    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter().flatten()
    }
}

impl<T, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self { items: [const { None }; N] }
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for List<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const N: usize>(List<T, N>);
        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for ListVisitor<T, N> {
            type Value = List<T, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut places = self.0.items.iter_mut();
                while let Some(item) = seq.next_element()? {
                    let Some(place) = places.next() else {
                        return Err(de::Error::custom("the list is too long for this module"));
                    };
                    *place = Some(item);
                }
                Ok(self.0)
            }
        }
        deserializer.deserialize_seq(ListVisitor(Self::default()))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<const N: usize>;
        impl<const N: usize> Visitor<'_> for TextVisitor<N> {
            type Value = Text<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<N>, E> {
                if text.len() > N {
                    return Err(E::custom("the string is too long for this module"));
                }
                Ok(Text::from(text))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MacVisitor;
        impl Visitor<'_> for MacVisitor {
            type Value = Mac;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a MAC address such as \"02:00:00:00:00:01\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Mac, E> {
                text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(MacVisitor)
    }
}
