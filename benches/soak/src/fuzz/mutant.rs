//! Files that are like others but for some bytes.

use crate::generated::splitmix;

/// Bytes that mean something in TOML, HTTP, JSON or Base64.
const TELLING: &[u8] = b"\"'[]{}()=.,:#\\/\r\n \t-019aZ\x00\x7f\xff";
/// Numbers at edges, as text.
const NUMBERS: [&str; 8] =
    ["0", "-1", "65536", "4294967295", "9223372036854775807", "18446744073709551615", "1e999", "0x7fffffff"];
/// Longest file that is made.
const LONGEST: usize = 1 << 16;

/// Random numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `end`; 0 where that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = splitmix(self.0);
        usize::try_from(self.0 >> 16).unwrap_or(0) % end.max(1)
    }
}

/// One of the files, changed: most often in one place, for then much of it still means something.
pub(crate) fn mutant(files: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = files[random.below(files.len())].clone();
    let changes = if random.below(4) > 0 { 1 } else { 2 + random.below(5) };
    for _ in 0..changes {
        change(&mut bytes, files, random);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, files: &[Vec<u8>], random: &mut Random) {
    let end = bytes.len();
    // Every place in the file, and the one behind it.
    let at = random.below(end + 1);
    let until = end.min(at + 1 + random.below(40));
    match random.below(9) {
        0 if at < end => bytes[at] ^= 1 << random.below(8),
        1 if at < end => bytes[at] = TELLING[random.below(TELLING.len())],
        2 => bytes.insert(at, TELLING[random.below(TELLING.len())]),
        3 => drop(bytes.drain(at..until)),
        4 => {
            let again = bytes[at..until].to_vec();
            drop(bytes.splice(at..at, again));
        }
        5 => {
            let Some(start) = (at..end).find(|&i| bytes[i].is_ascii_digit()) else { return };
            let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = NUMBERS[random.below(NUMBERS.len())].bytes();
            drop(bytes.splice(start..start + digits, number));
        }
        6 => {
            let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
            let len = bytes[start..].iter().position(|byte| *byte == b'\n').map_or(end - start, |n| n + 1);
            let line: Vec<u8> = bytes.drain(start..start + len).collect();
            // Gone, or at another place.
            if random.below(2) == 0 {
                let to = random.below(bytes.len() + 1);
                drop(bytes.splice(to..to, line));
            }
        }
        7 => {
            let other = &files[random.below(files.len())];
            bytes.truncate(at);
            bytes.extend(&other[random.below(other.len() + 1)..]);
        }
        8 if at < end => {
            let other = random.below(end);
            bytes.swap(at, other);
        }
        // Behind the end there is nothing to change.
        _ => {}
    }
}
