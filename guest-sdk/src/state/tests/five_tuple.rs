//! Keys of flows.

use crate::state::*;
use core::hash::{BuildHasher as _, Hash};
use foldhash::fast::FixedState;
use proptest::prelude::*;
use std::string::ToString as _;

fn four() -> impl Strategy<Value = FiveTuple> {
    any::<(u32, u32, u16, u16, u8)>().prop_map(|(source, destination, source_port, destination_port, protocol)| {
        let (source, destination) = (source.into(), destination.into());
        FiveTuple::V4(FiveTuple4 { source, destination, source_port, destination_port, protocol })
    })
}

fn six() -> impl Strategy<Value = FiveTuple> {
    any::<(u128, u128, u16, u16, u8)>().prop_map(|(source, destination, source_port, destination_port, protocol)| {
        let (source, destination) = (source.into(), destination.into());
        FiveTuple::V6(FiveTuple6 { source, destination, source_port, destination_port, protocol })
    })
}

fn hash(value: impl Hash) -> u64 {
    FixedState::with_seed(1).hash_one(value)
}

proptest! {
    #[test]
    fn both_directions_are_one_flow(flow in prop_oneof![four(), six()]) {
        prop_assert_eq!(flow.reversed().reversed(), flow);
        let symmetric = flow.symmetric();
        prop_assert_eq!(symmetric, flow.reversed().symmetric());
        prop_assert_eq!(symmetric.symmetric(), symmetric);
        prop_assert!(symmetric == flow || symmetric == flow.reversed());
        prop_assert_eq!(hash(symmetric), hash(flow.reversed().symmetric()));
    }
}

/// Neighbouring flows, as a scan or a generator makes them, spread over the lower bits that a table uses.
#[test]
fn neighbours_spread() {
    let mut chains = [0_u32; 1_024];
    for port in 0..4_096_u16 {
        let (source, destination) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let flow = FiveTuple4 { source, destination, source_port: port, destination_port: 53, protocol: 17 };
        chains[usize::try_from(hash(FiveTuple::V4(flow)) % 1_024).unwrap()] += 1;
    }
    assert!(chains.iter().all(|&n| n <= 16), "{:?}", chains.iter().max());
}

#[test]
fn a_flow_is_shown_as_people_write_it() {
    let flow = FiveTuple6 {
        source: 1.into(),
        destination: (0x2001_0db8 << 96).into(),
        source_port: 1,
        destination_port: 2,
        protocol: 6,
    };
    assert_eq!(FiveTuple::from(flow).to_string(), "[::1]:1 > [2001:db8::]:2 protocol 6");
}
