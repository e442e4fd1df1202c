//! What follows from a port's MTU for its device's arguments: lengths that DPDK's drivers take for granted, and beyond which
//! they cut packets or write over memory. What the user has not said is added; what does not fit is refused.

use super::{Config, Port};
use crate::sizes::{MAX_L2, room_len};
use perigee_core::HEADROOM;

/// What is wrong with an argument, and what to do.
type Wrong = (String, String);

/// What net_pcap takes of a packet from an interface; the rest it cuts off. A port's own MTU stays below.
pub const PCAP_LONGEST: u32 = 16_128;

impl Config {
    /// The MTU whose rooms all packets of the run fit, and what drivers insist on. All rooms of a run have one length: a
    /// module may rely on it for every packet that it sees, whichever port the packet came from.
    pub fn room_mtu(&self) -> u16 {
        let most = self.ports.iter().map(|port| port.mtu.max(ring_mtu(port))).max();
        most.unwrap_or(1_500)
    }

    /// The device string of a port as DPDK gets it: the user's, and the arguments that follow from the MTU.
    pub fn device(&self, port: &Port) -> String {
        let device = &port.device;
        match kind(device) {
            "net_af_packet" => PacketRing::of(port).map_or_else(|_| device.clone(), |ring| ring.complete(device)),
            "net_memif" => self.memif(port),
            _ => port.device_text().spelled_out(),
        }
    }

    /// net_memif reads whatever length its peer writes into a room, unless its own `bsize` is larger than a room; and what
    /// is longer than a client's `bsize` it cuts into a chain, which it gets wrong where the ring is full. So ours is larger
    /// than a room, and each packet has one buffer. A server's `bsize` says nothing to its peer: it is there for the user to
    /// say what the client has.
    fn memif(&self, port: &Port) -> String {
        let said: u32 = argument(&port.device, "bsize").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        if said != 0 && !is_server(&port.device) {
            return port.device.clone();
        }
        let room = room_len(self.room_mtu()) - usize::from(HEADROOM);
        let others = port.device.split(',').filter(|argument| !argument.trim().starts_with("bsize="));
        let others: Vec<&str> = others.collect();
        format!("{},bsize={}", others.join(","), (room + 1).next_multiple_of(64))
    }

    /// What is wrong with a port's arguments.
    pub fn wrong_arguments(port: &Port) -> Option<Wrong> {
        let frame = longest_frame(port);
        match kind(&port.device) {
            "net_af_packet" => PacketRing::of(port).err(),
            "net_memif" => wrong_buffers(port, frame),
            "net_null" => {
                let said = argument(&port.device, "size")?;
                let fits = said.parse::<u32>().is_ok_and(|bytes| (14..=frame).contains(&bytes));
                let what = format!("size = {said} is no frame of an mtu of {}", port.mtu);
                (!fits).then(|| (what, format!("it is 14 to {frame}, or a larger mtu")))
            }
            _ => None,
        }
    }
}

/// A memif's buffers are its client's. A server writes into them what it is given, so what it may be given fits what clients
/// have by default, or what its user has said that this one has.
fn wrong_buffers(port: &Port, frame: u32) -> Option<Wrong> {
    const USUAL: u32 = 2_048;
    let server = is_server(&port.device);
    let said = argument(&port.device, "bsize");
    let bytes = said.map_or(if server { USUAL } else { u32::MAX }, |bytes| bytes.parse().unwrap_or(0));
    if bytes >= frame && (said.is_none() || bytes <= 65_535) {
        return None;
    }
    let told = said.map_or(USUAL.to_string(), str::to_owned);
    let what = format!("bsize = {told} holds no whole frame: with an mtu of {} it has {frame} bytes", port.mtu);
    let help = if server {
        format!("give the client buffers of {frame} to 65535 bytes, and say so here too: bsize={frame}")
    } else {
        format!("leave bsize away, or give {frame} to 65535")
    };
    Some((what, help))
}

/// The ring that a net_af_packet port shares with the kernel, for each queue one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketRing {
    /// Bytes of a frame: the kernel's header, and a packet.
    pub frame: u32,
    /// Bytes of a block.
    pub block: u32,
    /// Frames in all blocks.
    pub frames: u32,
    /// Tx goes past the kernel's queueing discipline, and past whoever observes what leaves there.
    pub bypass: bool,
}

impl PacketRing {
    /// Where the kernel puts a packet in a frame: behind its header, an address, and room to align what follows Ethernet.
    pub const BEFORE: u32 = 66;
    /// Where a driver looks for the room that a frame takes: behind the kernel's header alone.
    const HEADER: u32 = 32;
    /// What frames and blocks are multiples of.
    const ALIGN: u32 = 16;
    const PAGE: u32 = 4_096;
    /// A ring of our own choice takes no more for each way, so that a user who may lock 8 MiB can have two.
    const MOST: u32 = 3 << 19;
    /// Largest frame whose data a room can hold.
    const LARGEST: u32 = 65_024;

    /// The ring that a port's arguments ask for.
    pub fn of(port: &Port) -> Result<Self, Wrong> {
        let device = &port.device;
        let needed = longest_frame(port) + Self::BEFORE;
        let said = number(device, "framesz")?;
        let grown = needed.next_multiple_of(1_024);
        let frame = said.unwrap_or(if needed > 2_048 { grown } else { 2_048 });
        let block =
            number(device, "blocksz")?.unwrap_or(if said.is_none() && needed > 2_048 { 4 * frame } else { Self::PAGE });
        let cure = format!("leave framesz, blocksz and framecnt away, or give framesz={grown},blocksz={}", 4 * grown);
        if needed > frame {
            let holds = frame.saturating_sub(Self::BEFORE + l2());
            let what = format!("framesz = {frame} holds packets of at most {holds} bytes, and mtu is {}", port.mtu);
            return Err((what, cure));
        }
        if frame % Self::ALIGN != 0 || frame > Self::LARGEST {
            let help = format!("a multiple of {} up to {}", Self::ALIGN, Self::LARGEST);
            return Err((format!("framesz = {frame} is no length of a frame"), help));
        }
        if block % Self::PAGE != 0 || block % frame != 0 {
            // The driver believes that frames lie one behind the other.
            let what =
                format!("blocksz = {block} is not a number of whole pages ({}) and whole frames ({frame})", Self::PAGE);
            return Err((what, cure));
        }
        let each = block / frame;
        let chosen = 512.min(Self::MOST / frame) / each * each;
        let frames = number(device, "framecnt")?.unwrap_or(chosen.max(each));
        if frames % each != 0 {
            return Err((format!("framecnt = {frames} is no number of whole blocks"), format!("a multiple of {each}")));
        }
        let bypass = argument(device, "qdisc_bypass") != Some("0") && !port.observe;
        Ok(Self { frame, block, frames, bypass })
    }

    /// The longest packet that the kernel puts into a frame whole, without a tag that it takes off.
    pub fn longest(&self) -> u32 {
        self.frame - Self::BEFORE
    }

    /// The device string with the arguments that it lacks.
    fn complete(&self, device: &str) -> String {
        let all = [("framesz", self.frame), ("blocksz", self.block), ("framecnt", self.frames)];
        let lacking = all.iter().filter(|(key, _)| argument(device, key).is_none());
        lacking.fold(device.to_owned(), |device, (key, value)| format!("{device},{key}={value}"))
    }
}

/// net_af_packet insists on rooms that hold what is left of a frame of its ring: the MTU whose rooms do. 0 for other devices.
fn ring_mtu(port: &Port) -> u16 {
    let ring = (kind(&port.device) == "net_af_packet").then(|| PacketRing::of(port).ok()).flatten();
    let bytes = ring.map_or(0, |ring| ring.frame.saturating_sub(PacketRing::HEADER + l2()));
    u16::try_from(bytes).unwrap_or(0)
}

/// The longest packet that an interface of that MTU hands over: two tags, of which the kernel may have taken one off.
pub fn longest_of_mtu(mtu: u32) -> u32 {
    mtu.saturating_add(l2())
}

fn longest_frame(port: &Port) -> u32 {
    longest_of_mtu(port.mtu.into())
}

fn l2() -> u32 {
    u32::try_from(MAX_L2).unwrap_or(22)
}

/// A device's driver, as its name says it.
pub fn kind(device: &str) -> &str {
    let name = device.split(',').next().unwrap_or_default().trim();
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// The value of an argument.
pub fn argument<'a>(device: &'a str, key: &str) -> Option<&'a str> {
    device.split(',').find_map(|argument| argument.trim().strip_prefix(key)?.strip_prefix('='))
}

/// The device is a memif's server, the one that waits for its peer.
pub fn is_server(device: &str) -> bool {
    argument(device, "role") == Some("server")
}

fn number(device: &str, key: &str) -> Result<Option<u32>, Wrong> {
    let Some(value) = argument(device, key) else { return Ok(None) };
    let number = value.parse().ok().filter(|number| *number != 0);
    let wrong = || (format!("{key} = {value:?} is no number"), "a number of bytes, or of frames".to_owned());
    number.ok_or_else(wrong).map(Some)
}

/// The interface of the kernel's that a port is made on, or that it makes.
pub fn interface_of(device: &str) -> Option<&str> {
    let keys: &[&str] = match kind(device) {
        "net_af_xdp" | "net_af_packet" | "net_tap" => &["iface"],
        "net_pcap" => &["iface", "rx_iface", "rx_iface_in", "tx_iface"],
        _ => &[],
    };
    keys.iter().find_map(|key| argument(device, key))
}

/// The interface by which the kernel sees what a port sends, where there is one that can be observed.
pub fn observed_interface(device: &str) -> Option<&str> {
    match kind(device) {
        "net_af_packet" | "net_tap" => argument(device, "iface"),
        "net_pcap" => argument(device, "iface").or_else(|| argument(device, "tx_iface")),
        _ => None,
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn ports_on_interfaces_are_known() {
        assert_eq!(interface_of("net_af_xdp0,iface=eth0,start_queue=0"), Some("eth0"));
        assert_eq!(interface_of("net_af_packet0,framesz=2048,iface=eth1"), Some("eth1"));
        assert_eq!(interface_of("net_pcap0,rx_iface_in=eth2"), Some("eth2"));
        assert_eq!(interface_of("net_pcap0,rx_pcap=x.pcap"), None);
        assert_eq!(interface_of("net_tap0,iface=tap-a"), Some("tap-a"));
        assert_eq!(interface_of("net_null0"), None);
    }

    fn port(device: &str, mtu: u16) -> Port {
        Port { mtu, ..Port::new("a", device) }
    }

    fn device_of(device: &str, mtu: u16) -> String {
        let config = Config { ports: vec![port(device, mtu)], ..Config::default() };
        config.device(&config.ports[0])
    }

    /// The rule of the ring, for every MTU that a port can have and whatever the user has said of it.
    #[test]
    fn a_ring_holds_each_frame_of_its_port_or_is_refused() {
        let rings = ["", ",framesz=2048", ",framesz=4096,blocksz=8192", ",framesz=9216,blocksz=36864,framecnt=128"];
        for mtu in 68..=16_000_u16 {
            for said in rings {
                let port = port(&format!("net_af_packet0,iface=x{said}"), mtu);
                let (needed, ring) = (u32::from(mtu) + 22 + 66, PacketRing::of(&port));
                let fits = said.is_empty() || needed <= number(&port.device, "framesz").unwrap().unwrap();
                assert_eq!(ring.is_ok(), fits, "{mtu} {said}: {ring:?}");
                let Ok(ring) = ring else { continue };
                assert!(
                    needed <= ring.frame && ring.block % ring.frame == 0 && ring.block % 4_096 == 0,
                    "{mtu} {ring:?}"
                );
                assert!(ring.frames != 0 && ring.frames % (ring.block / ring.frame) == 0, "{mtu} {ring:?}");
                assert!(!said.is_empty() || 2 * ring.frames * ring.frame <= 3 << 20, "{mtu} {ring:?}");
                let config = Config { ports: vec![port], ..Config::default() };
                let room = room_len(config.room_mtu()) - usize::from(HEADROOM);
                assert!(room >= (ring.frame - 32) as usize, "the driver takes the room: {mtu} {ring:?}");
                assert_eq!(
                    PacketRing::of(&Port { device: config.device(&config.ports[0]), ..config.ports[0].clone() }),
                    Ok(ring)
                );
            }
        }
    }

    #[test]
    fn what_the_user_said_of_a_ring_stays() {
        let ring = "net_af_packet0,iface=x,framesz=4096,blocksz=8192,framecnt=64";
        assert_eq!(device_of(ring, 1_500), ring);
        assert_eq!(
            device_of("net_af_packet0,iface=x", 1_500),
            "net_af_packet0,iface=x,framesz=2048,blocksz=4096,framecnt=512"
        );
        assert_eq!(
            device_of("net_af_packet0,iface=x,qpairs=2", 9_000),
            "net_af_packet0,iface=x,qpairs=2,framesz=9216,blocksz=36864,framecnt=168"
        );
    }

    #[test]
    fn rings_that_the_driver_would_misread_are_refused() {
        for (said, what) in [
            ("framesz=2050", "framesz = 2050 is no length of a frame"),
            ("framesz=131072,blocksz=131072", "framesz = 131072 is no length of a frame"),
            (
                "framesz=3072,blocksz=8192",
                "blocksz = 8192 is not a number of whole pages (4096) and whole frames (3072)",
            ),
            ("blocksz=6144", "blocksz = 6144 is not a number of whole pages"),
            ("framesz=8192", "blocksz = 4096 is not a number"),
            ("framecnt=511", "framecnt = 511 is no number of whole blocks"),
            ("framecnt=many", "framecnt = \"many\" is no number"),
            ("framesz=0", "framesz = \"0\" is no number"),
        ] {
            let (told, help) = PacketRing::of(&port(&format!("net_af_packet0,iface=x,{said}"), 1_500)).unwrap_err();
            assert!(told.starts_with(what) && !help.is_empty(), "{said}: {told}");
        }
    }

    /// A buffer of ours holds each frame, and no length that a peer writes passes a room unseen.
    #[test]
    fn a_memif_buffer_is_larger_than_a_room() {
        for mtu in 68..=16_000_u16 {
            for role in ["role=server,id=1", "role=client", "role=server,bsize=1000", "id=4"] {
                let device = device_of(&format!("net_memif0,{role}"), mtu);
                let bsize: usize = argument(&device, "bsize").unwrap().parse().unwrap();
                assert_eq!(device.matches("bsize=").count(), 1, "{device}");
                assert!(bsize > room_len(mtu) - usize::from(HEADROOM) && bsize <= 65_535, "{mtu}: {device}");
            }
        }
        assert_eq!(device_of("net_memif0,role=client,bsize=4096", 1_500), "net_memif0,role=client,bsize=4096");
    }

    /// Each driver that cuts by a length, at the length and one byte beyond.
    #[test]
    fn no_driver_cuts_a_frame_of_its_port() {
        for (device, longest) in [
            ("net_memif0,role=client,bsize=1522", 1_500),
            ("net_memif0,role=client,bsize=9022", 9_000),
            ("net_memif0,bsize=2048", 2_026),
            ("net_memif0,role=server", 2_026),
            ("net_memif0,role=server,bsize=9022", 9_000),
            ("net_af_packet0,iface=x,framesz=2048", 1_960),
        ] {
            assert_eq!(Config::wrong_arguments(&port(device, longest)), None, "{device}");
            let (what, help) = Config::wrong_arguments(&port(device, longest + 1)).expect(device);
            assert!(what.contains(&(longest + 1).to_string()) && !help.is_empty(), "{device}: {what}; {help}");
        }
        for (size, fits) in [(13, false), (14, true), (1_522, true), (1_523, false), (70_000, false)] {
            let wrong = Config::wrong_arguments(&port(&format!("net_null0,size={size}"), 1_500));
            assert_eq!(wrong.is_none(), fits, "size={size}: {wrong:?}");
        }
        for device in ["net_memif0,role=client", "net_pcap0,tx_pcap=x", "net_ring0"] {
            assert_eq!(Config::wrong_arguments(&port(device, 16_000)), None, "{device}");
        }
    }
}
