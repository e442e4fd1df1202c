//! Comparisons that say what was expected, what came, and where.

/// The same value, or both in words.
pub(super) fn equal<T: PartialEq + std::fmt::Display>(what: &str, expected: &T, came: &T) -> Result<(), String> {
    if expected == came { Ok(()) } else { Err(format!("{what}: expected {expected}, came {came}")) }
}

/// The same bytes, or where they differ, with the line around.
pub(super) fn bytes(expected: &[u8], came: &[u8]) -> Result<(), String> {
    let differ = expected.iter().zip(came).position(|(a, b)| a != b);
    let Some(at) = differ.or_else(|| (expected.len() != came.len()).then_some(expected.len().min(came.len()))) else {
        return Ok(());
    };
    let byte = |bytes: &[u8]| bytes.get(at).map_or_else(|| "the end".to_owned(), |byte| format!("{byte:02x}"));
    let from = at / 16 * 16;
    let line = |bytes: &[u8]| -> String {
        let row = bytes.iter().enumerate().skip(from).take(16);
        row.map(|(i, byte)| if i == at { format!("[{byte:02x}]") } else { format!(" {byte:02x} ") }).collect()
    };
    let (a, b) = (byte(expected), byte(came));
    let (expected_line, came_line) = (line(expected), line(came));
    Err(format!(
        "byte {at}: expected {a}, came {b}\n  {from:04x} expected {}\n  {from:04x} came     {}",
        expected_line.trim_end(),
        came_line.trim_end()
    ))
}

/// An Ethernet frame with IPv4, whose lengths fit and whose header checksum is right (RFC 791).
pub(super) fn ipv4(frame: &[u8]) -> Result<(), String> {
    let header = frame.get(14..34).ok_or_else(|| format!("{} bytes are too few for IPv4", frame.len()))?;
    if frame[12..14] != [0x08, 0x00] || header[0] != 0x45 {
        return Err(format!("not IPv4: type {:02x}{:02x}, first byte {:02x}", frame[12], frame[13], header[0]));
    }
    equal("IPv4 total length", &(frame.len() - 14), &usize::from(u16::from_be_bytes([header[2], header[3]])))?;
    let right = checksum(header);
    let came = u16::from_be_bytes([header[10], header[11]]);
    if right == came { Ok(()) } else { Err(format!("IPv4 header checksum: expected {right:04x}, came {came:04x}")) }
}

/// The Internet checksum (RFC 1071) of an IPv4 header, its own field left out.
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).enumerate().filter(|(i, _)| *i != 5);
    let mut sum: u32 = words.map(|(_, word)| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_difference_is_shown_where_it_is() {
        assert_eq!(bytes(&[1, 2], &[1, 2]), Ok(()));
        let text = bytes(&[0; 20], &[vec![0; 17], vec![5, 0, 0]].concat()).unwrap_err();
        assert_eq!(
            text,
            "byte 17: expected 00, came 05\n  0010 expected  00 [00] 00  00\n  0010 came      00 [05] 00  00"
        );
        assert!(bytes(&[1, 2, 3], &[1, 2]).unwrap_err().starts_with("byte 2: expected 03, came the end"));
    }

    /// A header that is in many textbooks: 192.168.0.1 to 192.168.0.199, whose checksum is b861.
    #[test]
    fn the_checksum_of_a_known_header_is_right() {
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8,
            0x00, 0xc7,
        ];
        assert_eq!(checksum(&header), 0xb861);
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00]);
        frame.extend(header);
        frame.resize(14 + 0x73, 0);
        assert_eq!(ipv4(&frame), Ok(()));
        frame[24] = 0;
        assert_eq!(ipv4(&frame), Err("IPv4 header checksum: expected b861, came 0061".to_owned()));
    }
}
