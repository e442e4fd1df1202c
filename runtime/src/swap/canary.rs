//! The canary: a throw-away instance of a new module, with its own configuration and limits, on packets that nobody misses.

use crate::parts::Loaded;
use etherparse::PacketBuilder;
use perigee_abi::names;
use perigee_config::{self as config, ModuleConfig};
use perigee_trial::{Outcome, Packet, Setting, Trial};
use perigee_wasm::stack::with_guest_stack;

/// Source and destination of the packets: locally administered addresses, as in the documentation of IPv4 and IPv6.
const MACS: ([u8; 6], [u8; 6]) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
const V4: ([u8; 4], [u8; 4]) = ([192, 0, 2, 1], [192, 0, 2, 2]);
const V6: ([u8; 16], [u8; 16]) = (
    [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
);

/// Where the canary sings: what it is told of the run.
pub(crate) struct Cage {
    /// MAC addresses of the run's ports.
    pub(crate) ports: Vec<[u8; 6]>,
    pub(crate) rings: u32,
    /// Largest packet of a fresh room.
    pub(crate) room_len: u16,
    pub(crate) seed: u64,
}

/// Calls everything that the module exports. An error says what went wrong.
pub(crate) fn sing(loaded: &Loaded, cage: &Cage) -> Result<(), String> {
    with_guest_stack(|| sing_here(loaded, cage)).map_err(|e| e.to_string())?
}

fn sing_here(loaded: &Loaded, cage: &Cage) -> Result<(), String> {
    let entry: &config::Module = &loaded.entry;
    let setting = Setting {
        config: entry.config.as_ref().map(ModuleConfig::bytes).unwrap_or_default(),
        secrets: loaded.secrets.clone(),
        seed: cage.seed,
        room_len: cage.room_len,
        ports: cage.ports.clone(),
        rings: cage.rings,
        hold: entry.grants.hold,
        ..Setting::default()
    };
    let start = || Trial::of(&loaded.module, loaded.limits(), &setting).map_err(|e| e.to_string());
    let mut trial = start()?;
    let has = |callback: &str| loaded.module.has(callback);
    if has(names::GENERATE) {
        // It is called whether exported or not, as in a run.
        clean(&trial.prefill().map_err(|e| e.to_string())?)?;
        for n in [1, 64] {
            clean(&trial.generate(n).map_err(|e| e.to_string())?)?;
        }
    }
    if has(names::PROCESS) {
        let packets = typical(cage.room_len, u16::try_from(cage.ports.len()).unwrap_or(0));
        let many: Vec<Packet> = packets.iter().cycle().take(64).cloned().collect();
        for batch in [&packets[..1], &packets, &many] {
            clean(&trial.process(batch).map_err(|e| e.to_string())?)?;
        }
    }
    clean(&trial.tick(false).map_err(|e| e.to_string())?)?;
    if has(names::MESSAGE) {
        // A refusal is a good answer to a message that says nothing.
        if let Err(e @ (perigee_trial::Failure::Trap(_) | perigee_trial::Failure::Broken(_))) = trial.message(&[]) {
            return Err(e.to_string());
        }
    }
    if has(names::SAVE) {
        let state = trial.save().map_err(|e| e.to_string())?;
        if has(names::RESTORE) {
            start()?.restore(&state).map_err(|e| format!("of its own state: {e}"))?;
        }
    }
    clean(&trial.tick(true).map_err(|e| e.to_string())?)
}

/// A module that writes into rooms of others is not let loose on live packets.
fn clean(outcome: &Outcome) -> Result<(), String> {
    match outcome.trespasses.first() {
        None => Ok(()),
        Some(trespass) => Err(format!("it writes into a room that is not its packet's: {trespass:?}")),
    }
}

/// Frames as they come: IPv4 and IPv6 with UDP, TCP and ICMP, tagged, ARP, of no known kind, short and long.
fn typical(room_len: u16, ports: u16) -> Vec<Packet> {
    let ethernet = || PacketBuilder::ethernet2(MACS.0, MACS.1);
    let v4 = || ethernet().ipv4(V4.0, V4.1, 64);
    let v6 = || ethernet().ipv6(V6.0, V6.1, 64);
    let tagged = || ethernet().single_vlan(etherparse::VlanId::ZERO).ipv4(V4.0, V4.1, 64);
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        bytes
    };
    // Writing into memory does not fail.
    let mut frames = vec![
        written(&|to| drop(v4().udp(1_024, 53).write(to, &[0; 18]))),
        written(&|to| drop(v4().tcp(1_024, 80, 1, 4_096).write(to, &[0; 6]))),
        written(&|to| drop(v4().icmpv4_echo_request(1, 1).write(to, &[0; 18]))),
        written(&|to| drop(v6().udp(1_024, 53).write(to, &[0; 18]))),
        written(&|to| drop(v6().icmpv6_echo_request(1, 1).write(to, &[0; 18]))),
        written(&|to| drop(tagged().udp(1_024, 53).write(to, &[0; 18]))),
        written(&|to| drop(v4().udp(1_024, 53).write(to, &[0; 1_472]))),
    ];
    let arp = [&MACS.1[..], &MACS.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &MACS.0, &V4.0, &[0; 6], &V4.1, &[0; 18]];
    frames.push(arp.concat());
    frames.push([&MACS.1[..], &MACS.0, &[0x88, 0xb5], &[0; 46]].concat());
    frames.push([&MACS.1[..], &MACS.0, &[8, 0]].concat());
    frames.retain(|bytes| bytes.len() <= usize::from(room_len));
    let port = |i: usize| u16::try_from(i).unwrap_or(0).checked_rem(ports).unwrap_or(u16::MAX);
    frames.into_iter().enumerate().map(|(i, bytes)| Packet { bytes, port: port(i), ..Packet::default() }).collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_canary_sees_every_usual_kind_of_frame() {
        let frames = typical(2_048, 2);
        assert_eq!(frames.len(), 10);
        for frame in frames.iter().filter(|frame| frame.bytes.len() > 14) {
            let read = etherparse::SlicedPacket::from_ethernet(&frame.bytes);
            assert!(read.is_ok(), "{read:?}");
        }
        assert!(typical(100, 0).iter().all(|frame| frame.bytes.len() <= 100 && frame.port == u16::MAX));
    }
}
