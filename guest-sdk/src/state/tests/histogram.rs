//! Histograms against the crate hdrhistogram.

use crate::state::*;
use hdrhistogram::Histogram as Theirs;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use proptest::prelude::*;
use std::vec::Vec;

fn shape() -> impl Strategy<Value = (u64, u64, u8)> {
    (1_u64..5_000, prop_oneof![2_u64..10_000, any::<u64>()], 0_u8..5).prop_map(|(low, more, digits)| {
        (low, low.saturating_mul(2).saturating_add(more >> (more % 60)).min(u64::MAX / 2), digits)
    })
}

fn values() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let value = prop_oneof![0_u64..5_000, (any::<u64>(), 1_u32..63).prop_map(|(n, bits)| n >> bits)];
    let count = prop_oneof![Just(1_u64), 1_u64..1_000_000, Just(1 << 50)];
    prop::collection::vec((value, count), 0..100)
}

/// The same histogram twice.
fn both((low, high, digits): (u64, u64, u8), values: &[(u64, u64)]) -> (Histogram, Theirs<u64>) {
    let mut ours = Histogram::new(low, high, digits).unwrap();
    let mut theirs = Theirs::new_with_bounds(low, high, digits).unwrap();
    for &(value, n) in values {
        ours.record_n(value, n);
        theirs.record_n(value.min(high), n).unwrap();
    }
    (ours, theirs)
}

fn encode(ours: &Histogram) -> Vec<u8> {
    let mut bytes = Vec::new();
    ours.encode(|part| -> Result<(), ()> {
        bytes.extend_from_slice(part);
        Ok(())
    })
    .unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_counts_and_writes_as_hdrhistogram_does(shape in shape(), values in values()) {
        let (ours, theirs) = both(shape, &values);
        prop_assert_eq!(ours.count(), theirs.len());
        // Theirs says 0 where only 0 was counted, ours the end of the bucket that it is in.
        prop_assert!(ours.max() == theirs.max() || (theirs.max() == 0 && ours.max() < shape.0));
        // Theirs says 0 where a value of the first bucket was counted.
        prop_assert!(ours.min() == theirs.min() || ours.count() == 0);
        // Theirs multiplies in floating point, which is exact for quarters of counts that are not too large.
        for (millionths, quantile) in [(250_000, 0.25), (500_000, 0.5), (750_000, 0.75), (1_000_000, 1.0)] {
            if ours.count() < 1 << 51 {
                prop_assert_eq!(ours.quantile(millionths), theirs.value_at_quantile(quantile), "{}", millionths);
            }
        }
        let mut written = Vec::new();
        V2Serializer::new().serialize(&theirs, &mut written).unwrap();
        prop_assert_eq!(encode(&ours), written);
    }

    #[test]
    fn each_reads_what_the_other_writes(shape in shape(), values in values()) {
        let (ours, theirs) = both(shape, &values);
        let mut written = Vec::new();
        V2Serializer::new().serialize(&theirs, &mut written).unwrap();
        // Theirs, too, is read back first: that takes its maximum from a bucket, as ours does.
        let read: Theirs<u64> = Deserializer::new().deserialize(&mut encode(&ours).as_slice()).unwrap();
        let again: Theirs<u64> = Deserializer::new().deserialize(&mut written.as_slice()).unwrap();
        prop_assert_eq!(&read, &again);

        let mut again = Histogram::new(shape.0, shape.1, shape.2).unwrap();
        again.merge_encoded(&written).unwrap();
        prop_assert_eq!(encode(&again), encode(&ours));
        prop_assert_eq!(again.count(), ours.count());
    }

    #[test]
    fn merging_counts_all(first in values(), second in values(), (low, high, digits) in shape()) {
        let (mut ours, mut theirs) = both((1, 1 << 40, 3), &first);
        let (other, others) = both((1, 1 << 40, 3), &second);
        ours.merge(&other);
        theirs.add(&others).unwrap();
        prop_assert_eq!(ours.count(), theirs.len());
        prop_assert_eq!(ours.quantile(500_000), theirs.value_at_quantile(0.5));
        // Of another shape, values are kept as well as this one can.
        let (other, _) = both((low, high, digits), &second);
        ours.merge(&other);
        prop_assert_eq!(ours.count(), theirs.len() + other.count());
    }

    /// Any bytes: an error or a histogram, and after an error nothing has changed.
    #[test]
    fn bytes_of_others_do_no_harm(payload in prop::collection::vec(any::<u8>(), 0..60), cut in 0_usize..110) {
        let (mut ours, _) = both((1, 10_000, 2), &[(5, 1), (900, 3)]);
        let before = encode(&ours);
        let mut bytes = before[..40].to_vec();
        bytes[4..8].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
        bytes.extend(&payload);
        bytes.truncate(cut);
        if ours.merge_encoded(&bytes).is_err() {
            prop_assert_eq!(encode(&ours), before);
            prop_assert_eq!(ours.count(), 4);
        }
    }
}

#[test]
fn another_shape_is_refused() {
    let (ours, _) = both((1, 10_000, 2), &[(5, 1)]);
    for (low, high, digits) in [(2, 10_000, 2), (1, 10_001, 2), (1, 10_000, 3)] {
        let mut other = Histogram::new(low, high, digits).unwrap();
        assert_eq!(other.merge_encoded(&encode(&ours)), Err(BadHistogram::Encoding));
    }
    for (low, high, digits) in [(0, 10, 1), (5, 9, 1), (1, 10, 6), (1 << 60, u64::MAX, 5)] {
        assert_eq!(Histogram::new(low, high, digits).map(|_| ()), Err(BadHistogram::Shape));
    }
}

#[test]
fn what_is_too_large_counts_as_the_largest() {
    let mut ours = Histogram::new(1, 1_000, 3).unwrap();
    ours.record(5_000);
    ours.record(10);
    assert_eq!((ours.count(), ours.clamped(), ours.min(), ours.max(), ours.mean()), (2, 1, 10, 1_000, 505));
    ours.clear();
    assert_eq!((ours.count(), ours.clamped(), ours.min(), ours.max(), ours.mean()), (0, 0, 0, 0, 0));
}
