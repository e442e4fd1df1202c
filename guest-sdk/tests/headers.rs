//! Every header: its fields lie as declared, and the typed accessors agree with the fields as data.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_guest::wire::{DOCS, Field, HEADERS, Info, TYPED, Typed};
use proptest::collection::vec;
use proptest::prelude::*;

/// A field's bits in big-endian bytes, one bit after the other: slow, and unlike what is tested.
fn slow_get(bytes: &[u8], field: &Field) -> Vec<u8> {
    let mut value = vec![0; field.bits.div_ceil(8)];
    let unused = value.len() * 8 - field.bits;
    for bit in 0..field.bits {
        let (from, to) = (field.bit + bit, unused + bit);
        value[to / 8] |= (bytes[from / 8] >> (7 - from % 8) & 1) << (7 - to % 8);
    }
    value
}

/// Writes a field's bits one after the other.
fn slow_set(bytes: &mut [u8], field: &Field, value: &[u8]) {
    let unused = value.len() * 8 - field.bits;
    for bit in 0..field.bits {
        let (to, from) = (field.bit + bit, unused + bit);
        let mask = 1 << (7 - to % 8);
        let is_set = value[from / 8] >> (7 - from % 8) & 1 != 0;
        bytes[to / 8] = if is_set { bytes[to / 8] | mask } else { bytes[to / 8] & !mask };
    }
}

fn number(value: &[u8]) -> u128 {
    value.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// All headers with their typed functions.
fn each() -> impl Iterator<Item = (&'static Info, &'static Typed)> {
    assert_eq!(HEADERS.len(), TYPED.len(), "a header without typed accessors, or the other way round");
    HEADERS.iter().copied().zip(TYPED)
}

#[test]
fn fields_tile_their_header() {
    for (info, _) in each() {
        let format = &info.format;
        let mut bit = 0;
        for field in format.fields {
            assert_eq!(field.bit, bit, "{}.{} leaves a gap or overlaps", format.name, field.name);
            assert!(field.bits > 0, "{}.{} is empty", format.name, field.name);
            bit += field.bits;
        }
        assert_eq!(bit, format.len * 8, "{}: fields and length differ", format.name);
    }
}

#[test]
fn names_are_unambiguous_and_everything_is_documented() {
    assert_eq!(HEADERS.len(), DOCS.len());
    for (index, (info, (doc, field_docs))) in HEADERS.iter().zip(DOCS).enumerate() {
        let format = &info.format;
        assert!(!doc.is_empty() && !format.source.is_empty(), "{}: what it is, and who says so", format.name);
        assert_eq!(field_docs.len(), format.fields.len());
        assert!(HEADERS[..index].iter().all(|other| other.format.name != format.name), "two headers {}", format.name);
        for (at, (field, doc)) in format.fields.iter().zip(*field_docs).enumerate() {
            assert!(!doc.is_empty(), "{}.{} is not documented", format.name, field.name);
            let twice = format.fields[..at].iter().any(|other| other.name == field.name);
            assert!(!twice, "two fields {}.{}", format.name, field.name);
        }
    }
}

#[test]
fn parsing_an_initial_header_changes_nothing() {
    for (info, typed) in each() {
        // 512 bytes, because an initial value may say that a variable part follows.
        let mut bytes = vec![0; 512];
        (typed.initial)(&mut bytes);
        let before = bytes.clone();
        let parsed = (typed.parse)(&mut bytes);
        assert_eq!(bytes, before, "{}: parsing changes it", info.format.name);
        let measured = info.measure(&bytes).ok();
        let lengths = measured.map(|m| (m.header_len - info.format.len, m.total_len - m.header_len));
        assert_eq!(parsed, lengths, "{}", info.format.name);
    }
}

/// Random bytes for the longest header, the numbers of fields, and their values.
fn case() -> impl Strategy<Value = (Vec<u8>, Vec<(usize, Vec<u8>)>)> {
    let longest = HEADERS.iter().map(|info| info.format.len).max().unwrap();
    let most = HEADERS.iter().map(|info| info.format.fields.len()).max().unwrap();
    let byte = prop_oneof![4 => any::<u8>(), 1 => Just(0), 1 => Just(0xff)];
    (vec(any::<u8>(), longest), vec((0..most, vec(byte, longest)), 1..2 * most))
}

/// Cuts random bytes to a value that the field can have.
fn value_of(field: &Field, random: &[u8]) -> Vec<u8> {
    let mut value = random[..field.bits.div_ceil(8)].to_vec();
    value[0] &= 0xff >> ((8 - field.bits % 8) % 8);
    value
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Fields as data: what is written is read, and nothing else changes.
    #[test]
    fn a_field_that_is_set_leaves_the_others_alone((random, changes) in case()) {
        for (info, _) in each() {
            let mut bytes = random[..info.format.len].to_vec();
            for (index, value) in &changes {
                let field = &info.format.fields[index % info.format.fields.len()];
                let value = value_of(field, value);
                let mut expected = bytes.clone();
                slow_set(&mut expected, field, &value);
                // Wider than 128 bits there is no number; the typed accessors have such fields (below).
                let fits = field.bits <= 128;
                prop_assert_eq!(field.set(&mut bytes, number(&value)), fits, "{}.{}", info.format.name, field.name);
                if fits {
                    prop_assert_eq!(&bytes, &expected, "{}.{}", info.format.name, field.name);
                    prop_assert_eq!(field.get(&bytes), Some(number(&value)), "{}.{}", info.format.name, field.name);
                }
            }
        }
    }

    /// Typed accessors: they read and write the same bits as the fields as data.
    #[test]
    fn typed_accessors_agree_with_the_fields((random, changes) in case()) {
        for (info, typed) in each() {
            let mut bytes = random[..info.format.len].to_vec();
            for (index, value) in &changes {
                let index = index % info.format.fields.len();
                let field = &info.format.fields[index];
                let value = value_of(field, value);
                let mut expected = bytes.clone();
                slow_set(&mut expected, field, &value);
                (typed.set)(&mut bytes, index, &value);
                prop_assert_eq!(&bytes, &expected, "{}.set_{}", info.format.name, field.name);
            }
            for (index, field) in info.format.fields.iter().enumerate() {
                let mut value = vec![0xaa; field.bits.div_ceil(8)];
                (typed.get)(&bytes, index, &mut value);
                prop_assert_eq!(&value, &slow_get(&bytes, field), "{}.{}", info.format.name, field.name);
                let number = (field.bits <= 128).then(|| number(&value));
                prop_assert_eq!(field.get(&bytes), number, "{}.{}", info.format.name, field.name);
            }
        }
    }

    /// A setter that is given more bits than its field has leaves the neighbours alone, too.
    #[test]
    fn too_large_values_are_cut((random, changes) in case()) {
        for (info, typed) in each() {
            for (index, value) in &changes {
                let index = index % info.format.fields.len();
                let field = &info.format.fields[index];
                // A flag is true or false: there is nothing to cut.
                if field.bits == 1 {
                    continue;
                }
                let mut expected = random[..info.format.len].to_vec();
                let mut bytes = expected.clone();
                slow_set(&mut expected, field, &value_of(field, value));
                (typed.set)(&mut bytes, index, &value[..field.bits.div_ceil(8)]);
                prop_assert_eq!(&bytes, &expected, "{}.set_{}", info.format.name, field.name);
            }
        }
    }
}
