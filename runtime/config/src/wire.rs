//! Wires: simulated cables between two ports, as `device = "wire:NAME,end=a,rate=10G,delay=5us"` says them. Each end says what
//! becomes of the packets that it sends; one that says nothing sends as the other one does.

use super::{Config, Port};
use crate::drivers::DeviceText;
use crate::values::parse_duration;
use perigee_core::clock::nanos;

/// What a device that is a wire begins with.
pub const PREFIX: &str = "wire:";
/// What a frame takes on Ethernet beside its bytes: preamble, check sequence, gap.
pub const FRAME_BESIDE: u32 = 8 + 4 + 12;
/// Bytes of the shortest frame, without its check sequence.
pub const SHORTEST: u32 = 60;
/// Packets that are on a wire at most, or wait at its end, where the wire's own figures do not say fewer.
const MOST_ON_WIRE: u64 = 1 << 16;

/// And where it has no rate.
const WITHOUT_RATE: u64 = 1_024;

mod arguments;

pub(crate) use arguments::probability;
use arguments::{Wrong, gilbert_elliott, limit, rate, red, yes};

/// One end of a wire.
#[derive(Clone, Debug, PartialEq)]
pub struct WireEnd {
    /// The wire's name.
    pub wire: String,
    /// This end's.
    pub end: String,
    /// What becomes of what it sends; `None` where it says nothing of it.
    pub cable: Option<Cable>,
}

/// What becomes of packets that are sent in one direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cable {
    /// Bits per second on layer 1; `None`: a packet takes no time to be sent.
    pub rate: Option<u64>,
    /// How long a packet takes to be sent, where there is a rate.
    pub service: Service,
    /// Nanoseconds from one end to the other.
    pub delay: u64,
    /// Up to so many nanoseconds more, drawn evenly. Packets stay in their order.
    pub jitter: u64,
    /// What is lost on the way.
    pub loss: Loss,
    /// The part of the packets that come twice.
    pub duplicate: f64,
    /// The part of the packets in which one bit is turned over.
    pub corrupt: f64,
    /// The part of the packets that come later by [`Self::reorder_by`], and are overtaken.
    pub reorder: f64,
    /// Nanoseconds.
    pub reorder_by: u64,
    /// A queue in front of the line, which drops what finds no place; `None`: the port does not take what it cannot send.
    pub queue: Option<Limit>,
    /// Early drops from that queue.
    pub red: Option<Red>,
    /// The end that sends holds a packet until the time that it carries, as cards with launch times do.
    pub launch: bool,
    /// The end that sends limits the rate of each of its tx queues where it is asked to, as some cards do.
    pub shaper: bool,
}

/// How long a packet takes to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// As long as its bytes take at the line's rate.
    #[default]
    Fixed,
    /// Drawn from an exponential distribution with that mean: for comparisons with the theory of queues.
    Exponential,
}

/// What is lost on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Each packet with this probability.
    Uniform(f64),
    /// By a line that is good or bad (E. N. Gilbert, 1960; E. O. Elliott, 1963), and may change with each packet.
    GilbertElliott {
        /// From good to bad.
        to_bad: f64,
        /// From bad to good.
        to_good: f64,
        /// Loss while it is bad.
        in_bad: f64,
        /// Loss while it is good.
        in_good: f64,
    },
}

impl Default for Loss {
    fn default() -> Self {
        Self::Uniform(0.0)
    }
}

/// What a queue holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many packets.
    Packets(u64),
    /// So many bytes of frames.
    Bytes(u64),
}

/// Random early detection (S. Floyd, V. Jacobson, 1993), in packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Red {
    /// Below this mean length nothing is dropped.
    pub least: f64,
    /// From this mean length on all is.
    pub most: f64,
    /// The probability just below `most`.
    pub probability: f64,
    /// Weight of the newest length in the mean.
    pub weight: f64,
}

impl WireEnd {
    /// Reads a device's text, which begins with `wire:`.
    ///
    /// # Errors
    /// The first thing that is wrong, and what to do.
    pub fn parse(device: &str) -> Result<Self, Wrong> {
        let text = DeviceText::new(device);
        let wire = text.name().strip_prefix(PREFIX).unwrap_or_default().to_owned();
        let fits =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !fits(&wire) {
            return Err((
                format!("{:?} is no name of a wire", text.name()),
                "letters, digits, \"-\", \"_\" and \".\" stand behind the colon: \"wire:lab,end=a\"".to_owned(),
            ));
        }
        let mut end = None;
        let (mut cable, mut says) = (Cable::default(), false);
        for (key, value) in text.arguments() {
            // What has no value is told with the arguments of all drivers.
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            if key == "end" {
                end = Some(value.to_owned()).filter(|end| fits(end));
            } else {
                says = true;
                cable.set(key, value)?;
            }
        }
        let help = || "a wire has two ends, each with a name: \"wire:lab,end=a\" and \"wire:lab,end=b\"".to_owned();
        let end = end.ok_or_else(|| (format!("wire {wire:?}: this end has no name"), help()))?;
        cable.check()?;
        Ok(Self { wire, end, cable: says.then_some(cable) })
    }
}

impl Cable {
    fn set(&mut self, key: &str, value: &str) -> Result<(), Wrong> {
        let wrong = |help: &str| (format!("{key} = {value:?} is not understood"), help.to_owned());
        let part = || probability(key, value);
        let time =
            || parse_duration(value).map(nanos).map_err(|what| (format!("{key}: {what}"), "as in 5us".to_owned()));
        match key {
            "rate" => self.rate = Some(rate(value)?),
            "service" => {
                self.service = match value {
                    "fixed" => Service::Fixed,
                    "exp" => Service::Exponential,
                    _ => {
                        return Err(wrong(
                            "it is \"fixed\", or \"exp\" for times drawn from an exponential distribution",
                        ));
                    }
                }
            }
            "delay" => self.delay = time()?,
            "jitter" => self.jitter = time()?,
            "loss" => self.loss = Loss::Uniform(part()?),
            "gemodel" => self.loss = gilbert_elliott(key, value)?,
            "duplicate" => self.duplicate = part()?,
            "corrupt" => self.corrupt = part()?,
            "reorder" => self.reorder = part()?,
            "reorder-by" => self.reorder_by = time()?,
            "queue" => {
                self.queue = Some(limit(value).ok_or_else(|| wrong("packets, as in 100, or bytes, as in 64KB"))?)
            }
            "red" => self.red = Some(red(value)?),
            "launch" => self.launch = yes(value).ok_or_else(|| wrong("it is \"yes\" or \"no\""))?,
            "shaper" => self.shaper = yes(value).ok_or_else(|| wrong("it is \"yes\" or \"no\""))?,
            // Unknown arguments are told with those of all drivers.
            _ => {}
        }
        Ok(())
    }

    /// What does not fit together.
    fn check(&self) -> Result<(), Wrong> {
        let lacks_rate = |what: &str| (format!("{what} needs a rate"), "give rate=, as in rate=10G".to_owned());
        match self {
            Self { rate: None, queue: Some(_), .. } => Err(lacks_rate("queue")),
            Self { rate: None, service: Service::Exponential, .. } => Err(lacks_rate("service = \"exp\"")),
            Self { queue: None | Some(Limit::Bytes(_)), red: Some(_), .. } => {
                Err(("red needs a queue of packets".to_owned(), "give queue=, as in queue=100".to_owned()))
            }
            Self { reorder, reorder_by, .. } if (*reorder != 0.0) != (*reorder_by != 0) => Err((
                "reorder and reorder-by belong together".to_owned(),
                "which part of the packets, and by how much they are late: reorder=1%,reorder-by=100us".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Packets that can be under way at a time, by its rate and delays: as many of the shortest as fit.
    fn under_way(&self) -> u64 {
        let Some(rate) = self.rate else { return WITHOUT_RATE };
        let ns = u128::from(self.delay) + u128::from(self.jitter) + u128::from(self.reorder_by);
        let bits = u128::from(rate) * ns / 1_000_000_000;
        let packets = bits / u128::from((SHORTEST + FRAME_BESIDE) * 8);
        let queue = match self.queue {
            Some(Limit::Packets(packets)) => packets,
            Some(Limit::Bytes(bytes)) => bytes / u64::from(SHORTEST),
            None => 0,
        };
        u64::try_from(packets).unwrap_or(u64::MAX).saturating_add(queue).min(MOST_ON_WIRE)
    }
}

impl Port {
    /// The wire that it is an end of; `None` of other devices, and where the text is wrong.
    #[must_use]
    pub fn wire(&self) -> Option<WireEnd> {
        self.is_wire().then(|| WireEnd::parse(&self.device).ok()).flatten()
    }

    /// It is an end of a wire.
    #[must_use]
    pub fn is_wire(&self) -> bool {
        self.device.trim_start().starts_with(PREFIX)
    }

    /// Packets that it may have taken and that have not been fetched at the other end.
    fn kept_by_cable(&self, cable: &Cable) -> u32 {
        let in_rings = u64::from(self.tx_descriptors) + u64::from(self.rx_descriptors);
        u32::try_from(cable.under_way() + in_rings).unwrap_or(u32::MAX)
    }
}

impl Config {
    /// The port at the other end of a wire.
    #[must_use]
    pub fn wire_peer(&self, port: usize) -> Option<usize> {
        let own = self.ports.get(port)?.wire()?;
        let is_peer = |other: &Port| other.wire().is_some_and(|other| other.wire == own.wire && other.end != own.end);
        self.ports.iter().position(is_peer)
    }

    /// The port to which packets are sent that come out of this one: net_ring gives out what it is sent, an end of a wire what the
    /// other end is sent.
    pub(super) fn sent_to(&self, port: &str) -> Option<&str> {
        let index = self.port(port)?;
        let entry = &self.ports[index];
        if entry.device_text().is("net_ring") {
            return Some(&entry.name);
        }
        self.wire_peer(index).map(|peer| &*self.ports[peer].name)
    }

    /// Packets that can be under way at a time of those that this port sends into a wire, or wait at its end.
    #[must_use]
    pub fn under_way(&self, port: usize) -> u32 {
        self.ports[port].kept_by_cable(&self.cable(port))
    }

    /// Packets that each tx queue of that port may keep.
    pub(super) fn kept_by_tx_queue(&self, port: usize) -> u32 {
        let entry = &self.ports[port];
        if entry.is_wire() { self.under_way(port) } else { entry.kept_by_tx_queue() }
    }

    /// What becomes of what that port sends, which is an end of a wire.
    #[must_use]
    pub fn cable(&self, port: usize) -> Cable {
        let of = |port: usize| self.ports[port].wire().and_then(|wire| wire.cable);
        of(port).or_else(|| self.wire_peer(port).and_then(of)).unwrap_or_default()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn cable(arguments: &str) -> Cable {
        WireEnd::parse(&format!("wire:lab,end=a,{arguments}")).expect(arguments).cable.expect("says something")
    }

    #[test]
    fn a_wire_is_read_with_all_that_it_has() {
        let all = cable(
            "rate=10G,delay=5us,jitter=1us,loss=0.1%,duplicate=1%,corrupt=0.01%,reorder=2%,reorder-by=10us,queue=100,red=20/60/10%",
        );
        assert_eq!((all.rate, all.delay, all.jitter, all.reorder_by), (Some(10_000_000_000), 5_000, 1_000, 10_000));
        assert_eq!((all.loss, all.queue), (Loss::Uniform(0.001), Some(Limit::Packets(100))));
        assert_eq!(all.red, Some(Red { least: 20.0, most: 60.0, probability: 0.1, weight: 0.002 }));
        let ge = Loss::GilbertElliott { to_bad: 0.01, to_good: 0.1, in_bad: 1.0, in_good: 0.0 };
        assert_eq!(cable("gemodel=1%/10%").loss, ge);
        assert_eq!(cable("rate=1G,queue=64KB").queue, Some(Limit::Bytes(65_536)));
        let holds = cable("launch=yes,shaper=yes");
        assert!(holds.launch && holds.shaper && !cable("launch=no").launch);
        assert_eq!(cable("rate=1G,service=exp").service, Service::Exponential);
        assert_eq!(WireEnd::parse("wire:lab,end=b").expect("an end").cable, None);
    }

    #[test]
    fn what_is_wrong_with_a_wire_is_said() {
        for (device, said) in [
            ("wire:,end=a", "\"wire:\" is no name of a wire"),
            ("wire:a b,end=a", "is no name of a wire"),
            ("wire:lab", "wire \"lab\": this end has no name"),
            ("wire:lab,end=a,rate=0", "rate is 0: nothing would ever arrive"),
            ("wire:lab,end=a,rate=fast", "rate: \"fast\" is no rate"),
            ("wire:lab,end=a,delay=5", "reorder"),
            ("wire:lab,end=a,delay=soon", "delay: \"soon\" is no duration"),
            ("wire:lab,end=a,loss=101%", "loss = \"101%\" is no part of the packets"),
            ("wire:lab,end=a,loss=-1%", "is no part of the packets"),
            ("wire:lab,end=a,loss=NaN", "is no part of the packets"),
            ("wire:lab,end=a,gemodel=1%", "has not two or four parts"),
            ("wire:lab,end=a,queue=100", "queue needs a rate"),
            ("wire:lab,end=a,rate=1G,queue=0", "queue = \"0\" is not understood"),
            ("wire:lab,end=a,service=exp", "service = \"exp\" needs a rate"),
            ("wire:lab,end=a,service=pareto,rate=1G", "service = \"pareto\" is not understood"),
            ("wire:lab,end=a,rate=1G,red=20/60/10%", "red needs a queue of packets"),
            ("wire:lab,end=a,rate=1G,queue=100,red=60/20/10%", "red = \"60/20/10%\" is not understood"),
            ("wire:lab,end=a,launch=maybe", "launch = \"maybe\" is not understood"),
            ("wire:lab,end=a,reorder=1%", "reorder and reorder-by belong together"),
        ] {
            match WireEnd::parse(device) {
                // A number alone is seconds.
                Ok(end) => assert_eq!(end.cable.expect("a delay").delay, 5_000_000_000, "{device}"),
                Err((told, help)) => assert!(told.contains(said) && !help.is_empty(), "{device}: {told}"),
            }
        }
    }
}
