//! What a file is, by its first bytes, where it is no capture.

/// How compressed files begin, and what takes the compression off.
const COMPRESSED: [(&[u8], &str, &str); 7] = [
    (&[0x1f, 0x8b], "gzip", "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz", "unxz"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4", "unlz4"),
    (&[0x02, 0x21, 0x4c, 0x18], "lz4", "unlz4"),
    (b"BZh", "bzip2", "bunzip2"),
    (b"PK\x03\x04", "zip", "unzip"),
];

/// Other files of packets, and of things that are taken for such.
const OTHERS: [(&[u8], &str); 5] = [
    (b"snoop\0\0\0", "a snoop file"),
    (b"ERF", "an ERF file"),
    (b"XCP\0", "a file of NetXRay"),
    (b"RTSS", "a file of Network Monitor 1"),
    (b"GMBU", "a file of Network Monitor 2"),
];

/// What it is, and what to do about it.
pub(super) fn of(start: &[u8], path: &str) -> (String, String) {
    if let Some((_, name, tool)) = COMPRESSED.iter().find(|(magic, ..)| start.starts_with(magic)) {
        let help = format!("packets come from a file that is not compressed: `{tool} {path}` makes one of it");
        return (format!("is compressed by {name}"), help);
    }
    let convert = format!("`editcap -F pcapng {path} OUT` makes a pcapng file of what Wireshark reads");
    match OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
        Some((_, name)) => (format!("is {name}"), convert),
        None if start.is_empty() => ("is empty".to_owned(), "get the file anew".to_owned()),
        None => ("is neither a pcap nor a pcapng file".to_owned(), convert),
    }
}
