//! Keys of flows.

use crate::state::flow::hasher::Mixer;
use crate::state::*;
use core::hash::{Hash, Hasher as _};
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
    let mut mixer = Mixer::default();
    value.hash(&mut mixer);
    mixer.finish()
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
    let flow = |source: u32, destination: u32, port: u32| FiveTuple4 {
        source: (0x0a00_0000 + source).into(),
        destination: (0x0a01_0000 + destination).into(),
        source_port: 40_000 + u16::try_from(port).unwrap(),
        destination_port: 53,
        protocol: 17,
    };
    for turn in 0..4 {
        let (mut chains, mut chains6) = ([0_u32; 1_024], [0_u32; 1_024]);
        for n in 0..4_096 {
            let (source, destination, port) = [(n, 0, 0), (0, n << 8, 0), (0, 0, n), (n % 64, n / 64, n % 16)][turn];
            let flow = flow(source, destination, port);
            chains[usize::try_from(hash(FiveTuple::V4(flow)) % 1_024).unwrap()] += 1;
            let flow = FiveTuple6 {
                source: flow.source.to_ipv6_mapped(),
                destination: flow.destination.to_ipv6_compatible(),
                source_port: flow.source_port,
                destination_port: 53,
                protocol: 6,
            };
            chains6[usize::try_from(hash(FiveTuple::V6(flow)) % 1_024).unwrap()] += 1;
        }
        // Four in each on average; random ones would have 14 at most, nearly always.
        assert!(
            chains.iter().chain(&chains6).all(|&n| n <= 16),
            "{turn}: {:?} {:?}",
            chains.iter().max(),
            chains6.iter().max()
        );
    }
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
