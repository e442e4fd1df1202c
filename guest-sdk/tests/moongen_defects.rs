//! What went wrong in another generator, MoonGen with libmoon, and cannot here: one test for each defect seen in its code.
//!
//! Without a test in this file:
//!
//! - Pools that are never freed (5): the host owns all pools. `runtime/lab/src/lib.rs` checks at the end of each run
//!   that every pool is full again.
//! - A comparison with an undefined name, a label with a wrong unit (10): an undefined name does not compile, and a key of a
//!   configuration that is not known is refused by name. Numbers carry their unit in their name (`speed_mbps`, `time_ns`).
//! - A history that is never trimmed (12): nothing here keeps one; counters are single numbers, and the host's queue of log
//!   lines is bounded and counts what it loses (`log_lost`).
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_guest::abi::{PortInfo, offloads, rx_flags, tx_flags};
use perigee_guest::testing::{Host, Input, Run};
use perigee_guest::vary::{Gaps, Shape};
use perigee_guest::wire::{Ethernet, Ipv4, Ipv6, Stack, Tcp, Udp, Vlan, With, checksum};
use perigee_guest::{Batch, Lcg64, Module, Packet, Refusal, Rooms, Setup, Verdict, stack};
use std::path::{Path, PathBuf};

const ALL_OFFLOADS: u32 = offloads::TX_IP_CHECKSUM | offloads::TX_UDP_CHECKSUM | offloads::TX_TCP_CHECKSUM;

stack! { struct Udp4 { eth: Ethernet, ip: Ipv4, udp: Udp } }
stack! { struct Tcp4 { eth: Ethernet, ip: Ipv4, tcp: Tcp } }
stack! { struct Udp4Behind { eth: Ethernet, outer: Vlan, inner: Vlan, ip: With<Ipv4, 8>, udp: Udp } }
stack! { struct Udp6Behind { eth: Ethernet, tag: Vlan, ip: Ipv6, udp: Udp } }

/// Does one thing with each packet, and passes it on.
struct Each<const WHAT: usize>;

impl<const WHAT: usize> Module for Each<WHAT> {
    fn init(_setup: &Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        let port = PortInfo { offloads: if WHAT == SOFTWARE { 0 } else { ALL_OFFLOADS }, ..PortInfo::default() };
        for mut packet in batch {
            match WHAT {
                FACTS => packet.set_mark(facts(&packet)),
                _ => packet.complete_checksums(&port).unwrap(),
            }
            packet.next();
        }
    }
}

const FACTS: usize = 0;
const SOFTWARE: usize = 1;
const OFFLOAD: usize = 2;

/// Which facts the SDK says are there.
fn facts(packet: &Packet<'_>) -> u32 {
    u32::from(packet.hash().is_some())
        | u32::from(packet.vlan().is_some()) << 1
        | u32::from(packet.rx_time().is_some()) << 2
}

/// Sixteen-bit words of a pseudo-header and what follows, added up the slow way: 0xffff where the checksum is right.
fn slow_sum(parts: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = parts.concat();
    let words = bytes.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

/// Defect 1: `hasTimestamp`, `getTimestamp` and `getVlan` tested a flag by "or" and were always true. Each fact is there where its
/// own flag is, whatever the others are.
#[test]
fn a_flag_is_tested_by_and() {
    let flags = [rx_flags::HASH, rx_flags::VLAN_STRIPPED, rx_flags::TIME];
    let packets = (0..8).map(|bits: u32| {
        let chosen = flags.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 != 0);
        Input::new(&[0; 60]).flags(chosen.fold(0, |all, (_, flag)| all | flag))
    });
    let mut host = Host::<Each<FACTS>>::start("").unwrap();
    for (bits, output) in (0..8).zip(host.process(packets)) {
        assert_eq!(output.desc.mark, bits, "facts of a packet whose flags are {bits:#b}");
    }
}

/// Defect 2: Offloading IPv6 set the flags of IPv4, and pseudo-headers were summed at fixed offsets, wrong behind tags and options.
#[test]
fn offloads_name_the_family_and_where_it_lies() {
    let mut four = [7; 120];
    Udp4Behind::fill(&mut four, |p| {
        p.eth.set_ether_type(0x88a8);
        p.ip.options = [0x94, 4, 0, 0, 0, 0, 0, 0];
    })
    .unwrap();
    let mut six = [7; 120];
    Udp6Behind::fill(&mut six, |_| {}).unwrap();
    let mut host = Host::<Each<OFFLOAD>>::start("").unwrap();
    let sent = host.process([four.to_vec(), six.to_vec()]);
    let asked = |flags| flags & (tx_flags::IPV4 | tx_flags::IPV6 | tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM);
    assert_eq!(asked(sent[0].desc.tx_flags), tx_flags::IPV4 | tx_flags::IP_CHECKSUM | tx_flags::UDP_CHECKSUM);
    assert_eq!((sent[0].desc.l2_len, sent[0].desc.l3_len), (22, 28));
    assert_eq!(asked(sent[1].desc.tx_flags), tx_flags::IPV6 | tx_flags::UDP_CHECKSUM);
    assert_eq!((sent[1].desc.l2_len, sent[1].desc.l3_len), (18, 40));
}

/// Defect 3: Checksums of UDP and TCP in software were "not yet implemented". A port without offloads sends right ones.
#[test]
fn software_computes_all_checksums() {
    let (mut udp, mut tcp, mut behind, mut six) = ([1; 101], [2; 101], [3; 121], [4; 121]);
    Udp4::fill(&mut udp, |_| {}).unwrap();
    Tcp4::fill(&mut tcp, |_| {}).unwrap();
    Udp4Behind::fill(&mut behind, |p| p.eth.set_ether_type(0x88a8)).unwrap();
    Udp6Behind::fill(&mut six, |_| {}).unwrap();
    // Where the checksum stands, where the addresses and the transport header begin, which protocol it is.
    let packets = [
        (udp.to_vec(), 40, 26..34, 34, 17),
        (tcp.to_vec(), 50, 26..34, 34, 6),
        (behind.to_vec(), 56, 34..42, 50, 17),
        (six.to_vec(), 64, 26..58, 58, 17),
    ];
    for (mut packet, place, addresses, start, number) in packets {
        packet[place] ^= 0x5a;
        let mut host = Host::<Each<SOFTWARE>>::start("").unwrap();
        let sent = &host.process([packet])[0];
        assert_eq!(sent.desc.tx_flags & (tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM), 0);
        let (bytes, len) = (&sent.bytes, u16::try_from(sent.bytes.len() - start).unwrap());
        let sum = slow_sum(&[&bytes[addresses], &[0, number], &len.to_be_bytes(), &bytes[start..]]);
        assert_eq!(sum, 0xffff, "protocol {number} at {start}");
        assert_eq!(checksum::check(bytes).map_err(|place| place.name()), Ok(()));
    }
}

/// Makes packets of one length, and so many of them.
struct Makes {
    len: u16,
    left: u64,
}

impl Module for Makes {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let (len, left) = setup.json()?;
        Ok(Self { len, left })
    }

    fn generate(&mut self, rooms: &mut Rooms<'_>) {
        let Some(rooms) = rooms.sized::<42>(self.len) else { return };
        for mut room in rooms.limit(self.left) {
            room.bytes_mut().fill(0x55);
            self.left -= 1;
            room.finish(Verdict::NEXT);
        }
    }
}

/// Defect 6: A pool's room size was ignored when its template was written: always 1,522 bytes. A packet may be as long as its room,
/// and no longer.
#[test]
fn room_size_is_honoured() {
    for room_len in [256, 1_920] {
        for (len, fits) in [(room_len, true), (room_len + 1, false)] {
            let mut host = Host::<Makes>::start_in(Run { room_len, ..Run::default() }, &format!("[{len}, 1]")).unwrap();
            let made = host.generate(4);
            let sent: Vec<_> = made.iter().filter(|packet| !packet.verdict.is_drop()).collect();
            assert_eq!(sent.len(), usize::from(fits), "{len} bytes in rooms of {room_len}");
            assert!(sent.iter().all(|packet| packet.bytes == vec![0x55; len as usize]));
        }
    }
}

/// Defect 7: The rate limiter took packets in bulks of 64: what was less than 64 at the end never left.
#[test]
fn the_last_part_of_a_bulk_leaves() {
    let mut host = Host::<Makes>::start("[60, 100]").unwrap();
    let mut sent = |rooms| host.generate(rooms).iter().filter(|packet| !packet.verdict.is_drop()).count();
    assert_eq!([sent(64), sent(64), sent(64)], [64, 36, 0]);
    let mut host = Host::<Each<SOFTWARE>>::start("").unwrap();
    for count in [1, 63, 64, 65] {
        assert_eq!(host.process(vec![vec![0; 60]; count]).len(), count);
    }
}

/// Counts packets by a number in the last four bytes of their payload, which it puts into the mark.
struct Identifies;

impl Module for Identifies {
    fn init(_setup: &Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn process(&mut self, batch: &mut Batch<'_>) {
        for mut packet in batch {
            let id = packet.bytes().last_chunk().map_or(0, |id| u32::from_be_bytes(*id));
            packet.set_mark(id);
            packet.next();
        }
    }
}

/// Defect 8: A flow's number was put together by factors of 0xff: 256 counted as 255. And TCP was sent with UDP's offload.
#[test]
fn numbers_beyond_a_byte_are_what_they_are() {
    let ids = [1, 255, 256, 257, 65_535, 65_536, 0x0102_0304, u32::MAX];
    let packets = ids.map(|id| [&[0; 60][..], &id.to_be_bytes()].concat());
    let mut host = Host::<Identifies>::start("").unwrap();
    assert!(host.process(packets).iter().map(|packet| packet.desc.mark).eq(ids));
}

/// The second half of 8.
#[test]
fn the_offload_is_that_of_the_protocol() {
    let (mut udp, mut tcp) = ([0; 60], [0; 60]);
    Udp4::fill(&mut udp, |_| {}).unwrap();
    Tcp4::fill(&mut tcp, |_| {}).unwrap();
    let mut host = Host::<Each<OFFLOAD>>::start("").unwrap();
    let sent = host.process([udp.to_vec(), tcp.to_vec()]);
    let asked = |flags| flags & (tx_flags::UDP_CHECKSUM | tx_flags::TCP_CHECKSUM);
    assert_eq!(asked(sent[0].desc.tx_flags), tx_flags::UDP_CHECKSUM);
    assert_eq!(asked(sent[1].desc.tx_flags), tx_flags::TCP_CHECKSUM);
}

/// 4: helpers for random gaps assumed a link of 10 Gbit/s. Ours take the rate; that of a link of any speed fills it.
#[test]
fn gaps_are_those_of_the_asked_rate() {
    for megabits in [10.0, 1_000.0, 25_000.0, 400_000.0] {
        let mut gaps = Gaps::by_megabits(megabits, Shape::Poisson).unwrap();
        let mut random = Lcg64::new(4);
        let total: u64 = (0..100_000).map(|_| gaps.after(60, &mut random)).sum();
        // 60 bytes, frame check sequence, preamble and the least gap: 84 bytes on the wire.
        let expected = 100_000.0 * 84.0 * 8.0 * 1_000.0 / megabits;
        #[allow(clippy::cast_precision_loss, reason = "less than 2^53")]
        let ratio = total as f64 / expected;
        assert!((ratio - 1.0).abs() < 0.02, "{megabits} Mbit/s: {ratio}");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn modules() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("modules")).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = entries
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() > 3, "{names:?}");
    names
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All of a module's code.
fn code(module: &str) -> String {
    let folder = root().join("modules").join(module).join("src");
    code_below(&folder)
}

fn code_below(folder: &Path) -> String {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| if path.is_dir() { code_below(&path) } else { std::fs::read_to_string(path).unwrap() }).collect()
}

/// The keys in the table of a README's section on configuration.
fn keys(readme: &str) -> Vec<String> {
    let section = readme.split("\n## ").find(|section| section.starts_with("Configuration"));
    let rows = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    rows.map(|key| key.rsplit('.').next().unwrap_or(key).to_owned()).collect()
}

/// Defect 9: The README had an option `time` where the program had `timeLimit`. Each key that a module's README has is a field of
/// its configuration, which refuses all others.
#[test]
fn documented_options_exist() {
    let mut found = 0;
    for module in modules() {
        let code = code(&module);
        for key in keys(&text(&format!("modules/{module}/README.md"))) {
            // A word of Rust is a field by another spelling.
            let is_field = [": ", ") "].iter().any(|end| code.contains(&format!(" {key}{end}")))
                || code.contains(&format!(" r#{key}: "));
            assert!(is_field, "modules/{module}/README.md names `{key}`, which its code does not have");
            found += 1;
        }
    }
    assert!(found > 20, "only {found} keys: has the form of the tables changed?");
}

/// Defect 11: Modules were shipped that nothing could load. Each one here is built with the rest, and listed.
#[test]
fn no_module_is_dead() {
    let (workspace, page) = (text("Cargo.toml"), text("docs/writing-modules.md"));
    for module in modules() {
        assert!(workspace.contains(&format!("\"modules/{module}\"")), "{module} is not a member of the workspace");
        assert!(page.contains(&format!("| `{module}` |")), "{module} is not in docs/writing-modules.md");
        assert!(code(&module).contains("perigee_guest::module!("), "{module} exports nothing");
    }
}

/// Defect 13: Sequence numbers had 16 bits, and began anew after milliseconds. Those of 32 and 64 bits are read and written whole.
#[test]
fn sequence_numbers_are_wide() {
    let mut packet = [0; 80];
    for number in [0xffff, 0x1_0000, 0xffff_fffe, u32::MAX] {
        Tcp4::fill(&mut packet, |p| p.tcp.set_sequence(number)).unwrap();
        let (headers, _) = Tcp4::parse(&packet).unwrap();
        assert_eq!(headers.tcp.sequence(), number);
    }
    // A counter of 64 bits where a payload begins, beyond what 32 bits hold.
    let place = perigee_guest::wire::Field::new("sequence", 0, 64, perigee_guest::wire::Show::Decimal).after(54);
    for number in [u64::from(u32::MAX), 1 << 32, u64::MAX] {
        assert!(place.set(&mut packet, number.into()));
        assert_eq!(place.get(&packet), Some(number.into()));
    }
}
