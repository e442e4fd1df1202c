//! The reader beside libpcap's, on good files in all variants, and on thousands of bad ones in `bad.rs`; and what is played of files.

mod bad;

use super::*;
use crate::capture::Libpcap;
use std::io::Cursor;
use std::path::Path;

/// A record as both readers see it: nanoseconds, bytes, original length.
type Seen = (Option<i128>, Vec<u8>, u32);

/// What our reader makes of bytes: the records, and what is wrong; and where the last record is cut.
fn ours(bytes: &[u8]) -> (Vec<Seen>, Option<Fault>, Option<u64>) {
    read(Reader::new(Cursor::new(bytes), bytes.len() as u64, "f"))
}

fn read<R: std::io::Read>(opened: Result<Reader<R>, Fault>) -> (Vec<Seen>, Option<Fault>, Option<u64>) {
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(fault) => return (Vec::new(), Some(fault), None),
    };
    let mut seen = Vec::new();
    loop {
        match reader.next_record() {
            Ok(Some(record)) => seen.push((record.time, record.bytes.to_vec(), record.original)),
            Ok(None) => return (seen, None, reader.cut()),
            Err(fault) => return (seen, Some(fault), reader.cut()),
        }
    }
}

/// What libpcap delivers of them.
fn theirs(path: &Path, bytes: &[u8]) -> Vec<(i64, i64, Vec<u8>, u32)> {
    std::fs::write(path, bytes).unwrap();
    let Ok(mut reader) = Libpcap::open_in_nanoseconds(path) else { return Vec::new() };
    std::iter::from_fn(|| reader.next_whole()).collect()
}

/// The same of a stream that brings some bytes at a time.
fn streamed(bytes: &[u8]) -> (Vec<Seen>, Option<Fault>, Option<u64>) {
    struct Pieces<'a>(&'a [u8]);
    impl std::io::Read for Pieces<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let piece = 7.min(to.len()).min(self.0.len());
            let (now, later) = self.0.split_at(piece);
            to[..piece].copy_from_slice(now);
            self.0 = later;
            Ok(piece)
        }
    }
    read(Reader::new(Pieces(bytes), STREAM, "f"))
}

/// What libpcap delivers comes out as it is, of a file as of a stream.
fn compare(path: &Path, bytes: &[u8]) {
    let (seen, fault, cut) = ours(bytes);
    let stream = streamed(bytes);
    assert_eq!((&stream.0, stream.2), (&seen, cut), "{}: as a stream", path.display());
    // What is wrong may be told in other words where the length of a file says more.
    assert_eq!(stream.1.is_some(), fault.is_some(), "{}: {:?} and {fault:?}", path.display(), stream.1);
    let expected = theirs(path, bytes);
    for (number, (sec, nsec, data, original)) in expected.iter().enumerate() {
        let Some((time, bytes, len)) = seen.get(number) else {
            panic!("{}: libpcap has packet {number}, and ours says {fault:?}", path.display())
        };
        assert_eq!((bytes, len), (data, original), "{}: packet {number}", path.display());
        // libpcap's seconds of old files have 31 bits, and its fractions wrap around.
        let Some(time) = time else { continue };
        let theirs = i128::from(*sec) * 1_000_000_000 + i128::from(*nsec);
        let off = (time - theirs).rem_euclid(1_000_000_000 << 32);
        assert!(
            off == 0 || *nsec < 0 || *nsec >= 1_000_000_000,
            "{}: packet {number}: {time} and {theirs}",
            path.display()
        );
    }
}

struct Writer {
    is_big: bool,
    bytes: Vec<u8>,
}

impl Writer {
    fn new(is_big: bool) -> Self {
        Self { is_big, bytes: Vec::new() }
    }

    fn u16(mut self, n: u16) -> Self {
        self.bytes.extend(if self.is_big { n.to_be_bytes() } else { n.to_le_bytes() });
        self
    }

    fn u32(mut self, n: u32) -> Self {
        self.bytes.extend(if self.is_big { n.to_be_bytes() } else { n.to_le_bytes() });
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// The old format's header.
    fn old(self, magic: u32, snap: u32) -> Self {
        self.u32(magic).u16(2).u16(4).u32(0).u32(0).u32(snap).u32(1)
    }

    fn old_record(self, sec: u32, fraction: u32, data: &[u8], original: u32) -> Self {
        self.u32(sec).u32(fraction).u32(u32::try_from(data.len()).unwrap()).u32(original).raw(data)
    }

    fn block(self, kind: u32, body: &Self) -> Self {
        let padded = body.bytes.len().next_multiple_of(4);
        let len = u32::try_from(padded).unwrap() + 12;
        self.u32(kind).u32(len).raw(&body.bytes).raw(&[0; 3][..padded - body.bytes.len()]).u32(len)
    }

    fn section(self) -> Self {
        let body = Self::new(self.is_big).u32(0x1a2b_3c4d).u16(1).u16(0).raw(&[0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    fn interface(self, link: u16, snap: u32, options: &Self) -> Self {
        let body = Self::new(self.is_big).u16(link).u16(0).u32(snap).raw(&options.bytes);
        self.block(1, &body)
    }

    fn enhanced(self, interface: u32, time: u64, data: &[u8], original: u32) -> Self {
        let body = Self::new(self.is_big)
            .u32(interface)
            .u32(u32::try_from(time >> 32).unwrap())
            .u32(u32::try_from(time & 0xffff_ffff).unwrap());
        let body = body.u32(u32::try_from(data.len()).unwrap()).u32(original).raw(data);
        self.block(6, &body)
    }
}

fn old_file(is_big: bool, magic: u32) -> Vec<u8> {
    let mut file = Writer::new(is_big).old(magic, 96);
    for n in 0..5_u8 {
        let data: Vec<u8> = (0..60 + n * 9).collect();
        let original = u32::try_from(data.len()).unwrap() + u32::from(n == 3) * 40;
        file = file.old_record(1_700_000_000 + u32::from(n), 999_000 + u32::from(n), &data, original);
    }
    file.bytes
}

/// All kinds of blocks, and interfaces with times of four kinds.
fn new_file(is_big: bool) -> Vec<u8> {
    let w = || Writer::new(is_big);
    let resolution = |n: u8| w().u16(9).u16(1).raw(&[n, 0, 0, 0]);
    let offset = w().u16(14).u16(8);
    let offset = if is_big { offset.raw(&(-7_i64).to_be_bytes()) } else { offset.raw(&(-7_i64).to_le_bytes()) };
    let options = resolution(9).raw(&w().u16(2).u16(3).raw(b"eth\0").bytes).raw(&offset.bytes).u32(0);
    let file = w().section().block(0x0bad, &w().raw(&[1, 2, 3, 4, 5])).interface(1, 262_144, &w());
    let file = file.interface(1, 262_144, &options).interface(1, 262_144, &resolution(0x80 | 20));
    let file =
        file.enhanced(0, 1_700_000_000_000_001, &[7; 61], 61).enhanced(1, 1_700_000_000_000_000_123, &[8; 64], 90);
    let file = file.enhanced(2, 1_700_000_000 << 20 | 3, &[9; 63], 63).block(3, &w().u32(62).raw(&[10; 62]));
    let obsolete = w().u16(1).u16(4).u32(0x1797_9cfe).u32(5).u32(33).u32(33).raw(&[11; 33]);
    let file =
        file.block(2, &obsolete).block(5, &w().u32(0).u32(1).u32(2)).section().interface(1, 262_144, &resolution(0));
    file.enhanced(0, 1_700_000_000, &[12; 60], 60).bytes
}

fn good() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for is_big in [false, true] {
        for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
            files.push((format!("{magic:x}-{is_big}"), old_file(is_big, magic)));
        }
        files.push((format!("pcapng-{is_big}"), new_file(is_big)));
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/pcap");
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        files.push((path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()));
    }
    files.sort();
    files
}

#[test]
fn both_orders_and_units_are_read_to_the_nanosecond() {
    for (magic, unit) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1)] {
        let [little, big] = [false, true].map(|is_big| ours(&old_file(is_big, magic)));
        assert_eq!((little.0.len(), &little.1, little.2), (5, &None, None));
        assert_eq!(little, big);
        assert_eq!(little.0[1].0, Some(1_700_000_001_000_000_000 + 999_001 * unit));
        assert_eq!((little.0[3].1.len(), little.0[3].2), (87, 127));
        // The snap length of this file is 96.
        assert_eq!(little.0[4].1.len(), 96);
    }
}

#[test]
fn interfaces_have_times_of_their_own() {
    let [little, big] = [false, true].map(|is_big| ours(&new_file(is_big)));
    assert_eq!(little, big);
    let times: Vec<Option<i128>> = little.0.iter().map(|(time, ..)| *time).collect();
    let at = |ns: i128| Some(1_700_000_000_000_000_000 + ns);
    let obsolete = (0x1797_9cfe_i128 << 32) + 5 - 7_000_000_000;
    assert_eq!(times, [at(1_000), at(123 - 7_000_000_000), at(2_861), None, Some(obsolete), at(0)]);
    assert_eq!(little.0.iter().map(|(_, data, _)| data.len()).collect::<Vec<_>>(), [61, 64, 63, 62, 33, 60]);
}

#[test]
fn libpcap_sees_the_same_in_good_files() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in good() {
        compare(&folder.path().join(name), &bytes);
    }
}

#[test]
fn other_files_are_called_by_their_names() {
    let told = |bytes: &[u8]| ours(bytes).1.unwrap().what;
    for (bytes, name) in [
        (&[0x1f, 0x8b, 8, 0][..], "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd, 0], "zstd"),
        (b"\xfd7zXZ\0\0", "xz"),
        (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
        (b"BZh91AY", "bzip2"),
    ] {
        assert_eq!(told(bytes), format!("is compressed by {name}"));
    }
    assert_eq!((told(b""), told(b"hello")), ("is empty".into(), "is neither a pcap nor a pcapng file".into()));
    assert_eq!(told(&old_file(false, 0xa1b2_c3d4)[..10]), "has 10 bytes, which is less than any capture has");
}

fn wanted() -> Wanted {
    Wanted {
        makes_ethernet: false,
        snapped: Snapped::Send,
        longest: 1_522,
        memory: Some(1 << 20),
        gap: None,
        queues: 1,
    }
}

fn loaded(bytes: &[u8], wanted: &Wanted) -> Result<Recording, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap();
    Recording::read(&[path, path], wanted).map_err(|refusal| refusal.to_string().replace(path, "PATH"))
}

#[test]
fn files_are_played_one_behind_the_other() {
    let mut file = Writer::new(false).old(0xa1b2_3c4d, 0);
    // The third is earlier than the second.
    for (ns, len) in [(100, 60), (400, 70), (300, 80), (700, 2_000)] {
        file = file.old_record(5, ns, &vec![1; len], u32::try_from(len).unwrap());
    }
    let recording = loaded(&file.bytes, &wanted()).unwrap();
    let at: Vec<u64> = recording.packets().iter().map(|packet| packet.at).collect();
    assert_eq!(at, [0, 300, 300, 800, 1_100, 1_100], "600 ns, and a mean gap of 200");
    let facts = recording.facts();
    assert_eq!((facts.packets, facts.bytes, facts.backwards, facts.too_long, facts.longest), (6, 420, 2, 2, 2_000));
    assert_eq!((facts.period, facts.memory()), (1_600, 420 + 6 * PER_PACKET));
    assert_eq!((recording.bytes_of(1).len(), recording.bytes_of(5).len(), recording.bytes_of(6).len()), (70, 80, 0));
    let apart = loaded(&file.bytes, &Wanted { gap: Some(5_000), ..wanted() }).unwrap();
    assert_eq!((apart.packets()[3].at, apart.facts().period), (5_600, 11_200));
}

#[test]
fn what_is_not_whole_is_refused_sent_or_padded() {
    let file =
        Writer::new(true).old(0xa1b2_c3d4, 0).old_record(1, 0, &[1; 60], 60).old_record(1, 0, &[2; 64], 100).bytes;
    let with = |snapped| loaded(&file, &Wanted { snapped, ..wanted() });
    let told = with(Snapped::Refuse).unwrap_err();
    assert!(
        told.starts_with("file \"PATH\" has 2 of 4 packets cut short, the first one as packet 2; `snapped=send`"),
        "{told}"
    );
    assert_eq!(with(Snapped::Send).unwrap().bytes_of(1), [2; 64]);
    let padded = with(Snapped::Pad).unwrap();
    assert_eq!(
        (&padded.bytes_of(1)[..64], &padded.bytes_of(1)[64..], padded.facts().snapped),
        (&[2; 64][..], &[0; 36][..], 2)
    );
    let short = loaded(&file, &Wanted { memory: Some(300), ..wanted() }).unwrap_err();
    assert!(short.contains("needs 1 MiB of memory (4 packets, 248 bytes), and may take 0 MiB; `memory=1M`"), "{short}");
}

#[test]
fn other_links_are_refused_or_get_a_header() {
    let w = || Writer::new(false);
    let file = |link: u16| w().section().interface(link, 0, &w()).enhanced(0, 0, &[0x45; 20], 20).bytes;
    let told = loaded(&file(101), &wanted()).unwrap_err();
    assert!(told.contains("link type Raw IP (RAW), not Ethernet, the first one as packet 1"), "{told}");
    assert!(told.contains("`link=ethernet` puts a header"), "{told}");
    let ethernet = Wanted { makes_ethernet: true, ..wanted() };
    assert_eq!(loaded(&file(101), &ethernet).unwrap().bytes_of(1)[12..], [&[8, 0][..], &[0x45; 20]].concat());
    assert_eq!(loaded(&file(229), &ethernet).unwrap().facts().not_ethernet, 2);
    let wifi = loaded(&file(105), &ethernet).unwrap_err();
    assert!(wifi.contains("802.11") && wifi.contains("capture on an interface that has them"), "{wifi}");
}

#[test]
fn interfaces_names_and_comments_are_told_with_a_record() {
    use pcap_file::pcapng::PcapNgWriter;
    use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
    use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
    let mut writer = PcapNgWriter::new(Vec::new()).unwrap();
    for name in ["fwd:rx", "fwd:drops"] {
        let mut block = InterfaceDescriptionBlock::new(pcap_file::DataLink::ETHERNET, 0);
        block.options = vec![
            InterfaceDescriptionOption::IfDescription("what it is".into()),
            InterfaceDescriptionOption::IfName(name.into()),
        ];
        writer.write_pcapng_block(block).unwrap();
    }
    for (interface_id, comment) in [(1, Some("dropped: tx_full")), (0, None)] {
        let options = comment.into_iter().map(|comment| EnhancedPacketOption::Comment(comment.into()));
        let options = [EnhancedPacketOption::Flags(1)].into_iter().chain(options).collect();
        let data = vec![7; 61].into();
        let block =
            EnhancedPacketBlock { interface_id, timestamp: Default::default(), original_len: 61, data, options };
        writer.write_pcapng_block(block).unwrap();
    }
    let bytes = writer.into_inner();
    let mut reader = Reader::new(Cursor::new(&bytes), bytes.len() as u64, "f").unwrap();
    assert_eq!((reader.last_record(), reader.origin()), (None, Origin::default()));
    assert_eq!(reader.next_record().unwrap().unwrap().bytes.len(), 61);
    let comment = Some(&b"dropped: tx_full"[..]);
    assert_eq!(reader.origin(), Origin { interface: b"fwd:drops", comment });
    assert_eq!(reader.last_record().unwrap().bytes, [7; 61]);
    reader.next_record().unwrap().unwrap();
    assert_eq!(reader.origin(), Origin { interface: b"fwd:rx", comment: None });
    // Whatever stands there instead of options.
    for byte in bytes.len() - 40..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[byte] ^= 0xff;
        let mut reader = Reader::new(Cursor::new(&bytes), bytes.len() as u64, "f").unwrap();
        while let Ok(Some(_)) = reader.next_record() {
            let _ = reader.origin();
        }
    }
}
