//! A capture as text, one line a packet: `perigee dissect` beside tcpdump and tshark, in turns, each through a pipe that is read as fast as
//! it comes. Each line is counted: a packet that was not shown would be no packet at all.

use anyhow::{Context, Result, ensure};
use perigee_guest::wire::{Arp, Error, Ethernet, Icmp, IcmpEcho, Ipv4, Ipv6, Stack, Tcp, Udp, Vlan, Vxlan};
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Packets of the file, and of the one for tshark, which would take a minute for the other.
const MANY: u32 = 1_000_000;
const FEW: u32 = 100_000;
/// How often each tool has its turn.
const TURNS: usize = 5;

perigee_guest::stack! { struct Udp4 { eth: Ethernet, ip: Ipv4, udp: Udp } }
perigee_guest::stack! { struct Tcp4 { eth: Ethernet, ip: Ipv4, tcp: Tcp } }
perigee_guest::stack! { struct Tagged { eth: Ethernet, tag: Vlan, ip: Ipv4, udp: Udp } }
perigee_guest::stack! { struct Udp6 { eth: Ethernet, ip: Ipv6, udp: Udp } }
perigee_guest::stack! { struct Tcp6 { eth: Ethernet, ip: Ipv6, tcp: Tcp } }
perigee_guest::stack! { struct Question { eth: Ethernet, arp: Arp } }
perigee_guest::stack! { struct Ping { eth: Ethernet, ip: Ipv4, icmp: Icmp, echo: IcmpEcho } }
perigee_guest::stack! {
    struct Tunnel { eth: Ethernet, ip: Ipv4, udp: Udp, vxlan: Vxlan, inner: Ethernet, inner_ip: Ipv4, inner_udp: Udp }
}

/// A tool, and what it is given before the file.
struct Tool {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    packets: u32,
}

/// Shows the file in turns, and tells how many packets a second that were.
pub(crate) fn measure(root: &Path, quick: bool) -> Result<()> {
    let folder = tempfile::tempdir().context("there is no folder for the files")?;
    let file = |packets: u32| folder.path().join(format!("{packets}.pcap"));
    for packets in [MANY, FEW] {
        write(&file(packets), packets).context("the files cannot be written")?;
    }
    println!("\nDissect: a capture as one line a packet through a pipe (packets per second)");
    let own = root.join("target/release/perigee");
    let tools = [
        Tool { name: "perigee", program: own, arguments: &["dissect"], packets: MANY },
        Tool { name: "tcpdump", program: "tcpdump".into(), arguments: &["-n", "-r"], packets: MANY },
        Tool { name: "tshark", program: "tshark".into(), arguments: &["-n", "-r"], packets: FEW },
    ];
    let mut rates = tools.each_ref().map(|_| Vec::new());
    for _ in 0..if quick { 1 } else { TURNS } {
        for (tool, rates) in tools.iter().zip(&mut rates).filter(|(tool, _)| tool.is_there()) {
            rates.push(tool.rate(&file(tool.packets))?);
        }
    }
    let median = |rates: &Vec<f64>| {
        let mut rates = rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    };
    let [ours, others @ ..] = rates.each_ref().map(median);
    let ours = ours.context("target/release/perigee is not there: ./x bench builds it")?;
    println!("  {:<8} {ours:>10.0}", tools[0].name);
    for (tool, rate) in tools[1..].iter().zip(others) {
        match rate {
            Some(rate) => println!("  {:<8} {rate:>10.0}  perigee is {:.1} times as fast", tool.name, ours / rate),
            None => println!("  {:<8} not measured: it is not installed (apt-get install {})", tool.name, tool.name),
        }
    }
    Ok(())
}

impl Tool {
    fn is_there(&self) -> bool {
        let tried = Command::new(&self.program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        tried.is_ok()
    }

    /// Packets per second, from the start of the program to its end.
    fn rate(&self, file: &Path) -> Result<f64> {
        let begun = Instant::now();
        let mut command = Command::new(&self.program);
        command.args(self.arguments).arg(file).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().with_context(|| format!("{} does not start", self.name))?;
        let mut from = child.stdout.take().context("a pipe")?;
        let (mut bytes, mut lines) = (vec![0; 1 << 16], 0);
        loop {
            let read = from.read(&mut bytes)?;
            if read == 0 {
                break;
            }
            lines += bytes[..read].iter().filter(|byte| **byte == b'\n').count();
        }
        let status = child.wait()?;
        let taken = begun.elapsed().as_secs_f64();
        ensure!(status.success(), "{} has failed: {status}", self.name);
        // What a tunnel carries has a line of its own in some.
        ensure!(lines >= self.packets as usize, "{} has shown {lines} of {} packets", self.name, self.packets);
        Ok(f64::from(self.packets) / taken)
    }
}

/// A mix of what is often seen: mostly TCP and UDP, one tunnel, some of what keeps networks alive.
fn write(path: &Path, packets: u32) -> Result<()> {
    let templates = templates()?;
    let mut bytes = [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1].map(u32::to_le_bytes).concat();
    for n in 0..packets {
        let (place, frame) = &templates[n as usize % templates.len()];
        let length = u32::try_from(frame.len())?;
        let record = [1_700_000_000 + n / 1_000_000, n % 1_000_000 * 1_000 + n % 997, length, length];
        bytes.extend(record.map(u32::to_le_bytes).concat());
        let begin = bytes.len();
        bytes.extend(frame);
        // So many flows as a busy link has in a moment: tcpdump remembers each one's numbers, and takes longer the more there are.
        bytes[begin + place] = n.to_le_bytes()[0];
    }
    std::fs::write(path, bytes)?;
    Ok(())
}

/// The place of a byte that may have any value, and the packet.
type Template = (usize, Vec<u8>);

fn template(place: usize, length: usize, fill: impl FnOnce(&mut [u8]) -> Result<(), Error>) -> Result<Template> {
    let mut frame = vec![0; length];
    fill(&mut frame).map_err(|_| anyhow::anyhow!("a template does not fit"))?;
    Ok((place, frame))
}

const A: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
const B: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 200);
const C: Ipv6Addr = Ipv6Addr::from_bits(0x2001_0db8 << 96 | 0x1234);
const D: Ipv6Addr = Ipv6Addr::from_bits(0x2001_0db8 << 96 | 0xffff_0001);

fn templates() -> Result<Vec<Template>> {
    let mut made = Vec::new();
    for length in [60, 574, 1_514] {
        for port in [50_000, 50_001] {
            made.push(template(29, length, |bytes| {
                Tcp4::fill(bytes, |p| {
                    p.ip.set_source(A);
                    p.ip.set_destination(B);
                    p.tcp.set_source_port(port);
                    p.tcp.set_destination_port(443);
                    p.tcp.set_ack(true);
                })
            })?);
        }
        made.push(template(29, length, |bytes| {
            Udp4::fill(bytes, |p| {
                p.ip.set_source(B);
                p.ip.set_destination(A);
                p.udp.set_destination_port(9);
            })
        })?);
    }
    made.push(template(37, 128, |bytes| {
        Udp6::fill(bytes, |p| {
            p.ip.set_source(C);
            p.ip.set_destination(D);
            p.udp.set_destination_port(9);
        })
    })?);
    made.push(template(37, 1_294, |bytes| {
        Tcp6::fill(bytes, |p| {
            p.ip.set_source(D);
            p.ip.set_destination(C);
            p.tcp.set_syn(true);
        })
    })?);
    others(&mut made)?;
    Ok(made)
}

fn others(made: &mut Vec<Template>) -> Result<()> {
    made.push(template(33, 128, |bytes| {
        Tagged::fill(bytes, |p| {
            p.tag.set_vid(100);
            p.ip.set_source(A);
            p.udp.set_destination_port(9);
        })
    })?);
    made.push(template(31, 60, |bytes| Question::fill(bytes, |p| p.arp.set_target(B)))?);
    made.push(template(29, 98, |bytes| Ping::fill(bytes, |p| p.icmp.set_kind(8)))?);
    made.push(template(78, 178, |bytes| Tunnel::fill(bytes, |p| p.vxlan.set_vni(42)))?);
    Ok(())
}
