//! Files that are played, as `device = "file:capture.pcap,speed=1,loop=3"` says them.

use super::Port;
use crate::drivers::DeviceText;
use crate::values::{parse_duration, parse_rate, parse_size};
use perigee_core::clock::nanos;
use perigee_pcap::file::{Facts, Snapped};

/// What a device that is a file begins with.
pub const PREFIX: &str = "file:";
/// Memory that files take at most, where nothing else is said.
const MEMORY: u64 = 1 << 30;
/// Memory for what is read ahead of files that stay on the disk, where nothing else is said.
const MEMORY_AHEAD: u64 = 64 << 20;
/// Digits that a speed has at most, so that it is an exact fraction of two numbers.
const DIGITS: usize = 15;

/// What is wrong with an argument, and what to do.
type Wrong = (String, String);

/// Files that a port plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDevice {
    /// The files, one played behind the other; paths start from the configuration.
    pub files: Vec<String>,
    /// When packets come.
    pub pace: Pace,
    /// How often all of it is played; `None`: for ever.
    pub rounds: Option<u64>,
    /// Nanoseconds of the files' time between the last packet of a file and the first of the next; `None`: the file's mean gap.
    pub gap: Option<u64>,
    /// What becomes of packets that are not whole.
    pub snapped: Snapped,
    /// Packets of other links get a header of Ethernet.
    pub makes_ethernet: bool,
    /// All of it is in memory before the first packet comes; otherwise it is read ahead while it is played.
    pub is_preloaded: bool,
    /// Memory that it may take, bytes: for all of it, or for what is read ahead.
    pub memory: u64,
}

/// What is read ahead for one rx queue: so many pieces of so many bytes, of which the queue plays one while the others are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// How many.
    pub count: usize,
    /// Bytes of packets in each.
    pub bytes: usize,
    /// Packets in each, at most.
    pub packets: usize,
}

impl Chunks {
    /// Bytes of the smallest chunk. Three quarters are for packets' bytes, of which the longest has 65,535.
    const LEAST: u64 = 128 << 10;
    /// Of the largest: more chunks are better than larger ones, of which each must be full before it is played.
    const MOST: u64 = 1 << 20;
    /// One that is played, and one that is filled meanwhile.
    const FEWEST: u64 = 2;
    /// Bytes that are kept for a packet beside its own.
    const CUE: u64 = 24;

    /// For a port of so many rx queues that may take `memory`. There are no more of them than all that is played could fill.
    fn new(memory: u64, queues: u16, all: u64) -> Self {
        let share = memory / u64::from(queues.max(1));
        let size = (share / Self::FEWEST).clamp(Self::LEAST, Self::MOST);
        let enough = all.saturating_mul(4) / size + Self::FEWEST;
        let count = (share / size).clamp(Self::FEWEST, enough);
        let [count, bytes, packets] =
            [count, size / 4 * 3, size / 4 / Self::CUE].map(|n| usize::try_from(n).unwrap_or(0));
        Self { count, bytes, packets }
    }

    /// Bytes that all of them take.
    #[must_use]
    pub fn memory(&self) -> u64 {
        (self.count as u64).saturating_mul(self.bytes as u64 + self.packets as u64 * Self::CUE)
    }
}

/// When packets come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At their own times, this many times as fast: an exact fraction.
    Times {
        /// Above the line.
        num: u64,
        /// Below it.
        den: u64,
    },
    /// So many packets each second, at equal gaps.
    Packets(u64),
    /// So many bits each second on layer 1: each packet leaves when the one before it would have been sent at that rate.
    Bits(u64),
    /// As fast as they are taken.
    Max,
}

impl FileDevice {
    /// Reads a device's text, which begins with `file:`.
    ///
    /// # Errors
    /// The first thing that is wrong, and what to do.
    pub fn parse(device: &str) -> Result<Self, Wrong> {
        let text = DeviceText::new(device);
        let first = text.name().strip_prefix(PREFIX).unwrap_or_default();
        if first.is_empty() {
            return Err((
                "no file is named".to_owned(),
                "its path stands behind the colon: \"file:capture.pcap\"".into(),
            ));
        }
        let mut new = Self {
            files: vec![first.to_owned()],
            pace: Pace::Times { num: 1, den: 1 },
            rounds: Some(1),
            gap: None,
            snapped: Snapped::Refuse,
            makes_ethernet: false,
            is_preloaded: text.values("preload").next() != Some("no"),
            memory: 0,
        };
        new.memory = if new.is_preloaded { MEMORY } else { MEMORY_AHEAD };
        for (key, value) in text.arguments() {
            // What has no value, or a wrong word, is told with the arguments of all drivers.
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            new.set(key, value)?;
        }
        if text.values("speed").next().is_some() && text.values("rate").next().is_some() {
            let help = "speed= keeps the files' times, or scales them; rate= does not look at them";
            return Err(("speed and rate are both there".to_owned(), help.to_owned()));
        }
        Ok(new)
    }

    /// What is read ahead for each of so many rx queues, of files of which that was found.
    #[must_use]
    pub fn chunks(&self, queues: u16, facts: &Facts) -> Chunks {
        Chunks::new(self.memory, queues, facts.memory().saturating_mul(self.rounds.unwrap_or(u64::MAX)))
    }

    /// Bytes of memory that such files take.
    #[must_use]
    pub fn takes(&self, queues: u16, facts: &Facts) -> u64 {
        if self.is_preloaded {
            return facts.memory();
        }
        self.chunks(queues, facts).memory().saturating_mul(queues.into())
    }

    /// The least memory that reading ahead takes.
    #[must_use]
    pub fn least_ahead(queues: u16) -> u64 {
        Chunks::LEAST * Chunks::FEWEST * u64::from(queues)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Wrong> {
        match key {
            "file" => self.files.push(value.to_owned()),
            "speed" => self.pace = speed(value)?,
            "rate" => self.pace = rate(value)?,
            "loop" => self.rounds = rounds(value)?,
            "gap" => {
                let gap = parse_duration(value).map_err(|what| (format!("gap: {what}"), "as in 10ms".to_owned()))?;
                self.gap = Some(nanos(gap));
            }
            "snapped" if value == "send" => self.snapped = Snapped::Send,
            "snapped" if value == "pad" => self.snapped = Snapped::Pad,
            "link" => self.makes_ethernet = value == "ethernet",
            "memory" => {
                self.memory = parse_size(value).map_err(|what| (format!("memory: {what}"), "as in 4G".to_owned()))?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// `1`, `0.5`, `20000`, `max`.
fn speed(value: &str) -> Result<Pace, Wrong> {
    if value == "max" {
        return Ok(Pace::Max);
    }
    let wrong = || {
        let help =
            "1 keeps the files' times, 2 is twice as fast, 0.5 half as fast; max is as fast as packets are taken";
        (format!("speed = {value:?} is not understood"), help.to_owned())
    };
    let (whole, part) = value.split_once('.').unwrap_or((value, ""));
    let digits = format!("{whole}{part}");
    let is_number = !whole.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() <= DIGITS;
    let num = digits.parse::<u64>().ok().filter(|num| is_number && *num != 0).ok_or_else(wrong)?;
    let den = 10_u64.pow(u32::try_from(part.len()).unwrap_or(0));
    Ok(Pace::Times { num, den })
}

/// `100kpps`, `1Gbit/s`.
fn rate(value: &str) -> Result<Pace, Wrong> {
    const HELP: &str = "packets, as in rate=100kpps, or bits on layer 1, as in rate=1Gbit/s";
    let number = parse_rate(value).map_err(|what| (format!("rate: {what}"), HELP.to_owned()))?;
    if number == 0 {
        return Err(("rate is 0: nothing would ever come".to_owned(), HELP.to_owned()));
    }
    match value {
        _ if value.ends_with("pps") => Ok(Pace::Packets(number)),
        _ if value.ends_with("bit/s") || value.ends_with("bps") => Ok(Pace::Bits(number)),
        _ => Err((format!("rate = {value:?} does not say of what"), HELP.to_owned())),
    }
}

fn rounds(value: &str) -> Result<Option<u64>, Wrong> {
    if value == "forever" {
        return Ok(None);
    }
    let wrong = || (format!("loop is {value:?}"), "a number of rounds from 1, or forever".to_owned());
    value.parse().ok().filter(|rounds| *rounds != 0).map(Some).ok_or_else(wrong)
}

impl Port {
    /// It plays files.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.device.trim_start().starts_with(PREFIX)
    }

    /// The files that it plays; `None` of other devices, and where the text is wrong.
    #[must_use]
    pub fn file(&self) -> Option<FileDevice> {
        self.is_file().then(|| FileDevice::parse(&self.device).ok()).flatten()
    }

    /// It is one of our own making, not DPDK's: an end of a wire, or a file.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.is_wire() || self.is_file()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn parsed(arguments: &str) -> FileDevice {
        FileDevice::parse(&format!("file:a.pcap{arguments}")).expect(arguments)
    }

    #[test]
    fn files_are_read_with_all_that_they_have() {
        let plain = parsed("");
        assert_eq!(
            (plain.files, plain.pace, plain.rounds),
            (vec!["a.pcap".into()], Pace::Times { num: 1, den: 1 }, Some(1))
        );
        let all = parsed(",file=b.pcap,speed=0.25,loop=3,gap=1ms,snapped=pad,link=ethernet,memory=2G");
        assert_eq!((all.files.len(), all.pace, all.rounds), (2, Pace::Times { num: 25, den: 100 }, Some(3)));
        assert_eq!(
            (all.gap, all.snapped, all.makes_ethernet, all.memory),
            (Some(1_000_000), Snapped::Pad, true, 2 << 30)
        );
        assert_eq!((parsed("").is_preloaded, parsed("").memory), (true, 1 << 30));
        let ahead = parsed(",preload=no");
        assert_eq!(
            (ahead.is_preloaded, ahead.memory, parsed(",memory=1M,preload=no").memory),
            (false, 64 << 20, 1 << 20)
        );
        assert_eq!(parsed(",speed=20000").pace, Pace::Times { num: 20_000, den: 1 });
        assert_eq!((parsed(",speed=max,loop=forever").pace, parsed(",loop=forever").rounds), (Pace::Max, None));
        assert_eq!(parsed(",rate=1.5kpps").pace, Pace::Packets(1_500));
        assert_eq!(
            (parsed(",rate=1Gbit/s").pace, parsed(",rate=10Mbps").pace),
            (Pace::Bits(1_000_000_000), Pace::Bits(10_000_000))
        );
    }

    #[test]
    fn what_is_read_ahead_stays_within_its_memory() {
        for queues in [1, 2, 7] {
            for memory in [FileDevice::least_ahead(queues), 4 << 20, 64 << 20, 1 << 40] {
                for all in [0, 1_000, 300 << 20, u64::MAX] {
                    let chunks = Chunks::new(memory, queues, all);
                    assert!(chunks.memory() * u64::from(queues) <= memory, "{chunks:?} of {queues} queues in {memory}");
                    assert!(chunks.count >= 2 && chunks.bytes > usize::from(u16::MAX) && chunks.packets > 1_000);
                    assert!(all > 1_000 || chunks.count == 2, "{chunks:?} for {all} bytes");
                }
            }
        }
        let usual = Chunks::new(64 << 20, 1, 1 << 40);
        assert_eq!((usual.count, usual.bytes), (64, 768 << 10));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        for (device, said) in [
            ("file:", "no file is named"),
            ("file:a,speed=0", "speed = \"0\" is not understood"),
            ("file:a,speed=-1", "speed = \"-1\" is not understood"),
            ("file:a,speed=1e3", "speed = \"1e3\" is not understood"),
            ("file:a,speed=.5", "speed = \".5\" is not understood"),
            ("file:a,speed=1.0000000000000000001", "is not understood"),
            ("file:a,speed=2,rate=1kpps", "speed and rate are both there"),
            ("file:a,rate=1M", "rate = \"1M\" does not say of what"),
            ("file:a,rate=0pps", "rate is 0"),
            ("file:a,rate=fast", "rate: \"fast\" is no rate"),
            ("file:a,loop=0", "loop is \"0\""),
            ("file:a,loop=yes", "loop is \"yes\""),
            ("file:a,gap=soon", "gap: \"soon\" is no duration"),
            ("file:a,memory=much", "memory: \"much\" is no size"),
        ] {
            let (what, help) = FileDevice::parse(device).expect_err(device);
            assert!(what.contains(said) && !help.is_empty(), "{device}: {what}");
        }
    }
}
