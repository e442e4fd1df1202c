//! What is told of a secret: `pbkdf2-sha256:ROUNDS:SALT:HASH`, PBKDF2 with HMAC-SHA-256 (RFC 8018, section 5.2) and a salt that is
//! drawn for each process.
//!
//! Two runs had the same secret where the salt of the one with the secret of the other gives the same hash; without the secret nobody
//! sees that. A plain hash of what people make up would be guessed by the million in a second, and looked up in tables.

use hmac::{Hmac, KeyInit, Mac};
use perigee_core::hex::hex;
use sha2::Sha256;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

const KIND: &str = "pbkdf2-sha256";
/// Some 20 ms: nothing beside the start of a run, and much beside a million guesses.
const ROUNDS: u32 = 100_000;
const SALT: usize = 16;
/// Bytes of the hash that are told.
const HASH: usize = 16;

pub(super) fn tell(secret: &[u8]) -> String {
    told(secret, salt())
}

fn told(secret: &[u8], salt: &[u8]) -> String {
    format!("{KIND}:{ROUNDS}:{}:{}", hex(salt), hex(&derive(secret, salt, ROUNDS)[..HASH]))
}

/// Nothing where the digest is of another kind: it may come from a stranger, who could ask for any number of rounds.
pub(super) fn tells_of(digest: &str, secret: &[u8]) -> Option<bool> {
    let rest = digest.strip_prefix(KIND)?.strip_prefix(':')?.strip_prefix(&ROUNDS.to_string())?.strip_prefix(':')?;
    let (salt, hash) = rest.split_once(':')?;
    let salt = bytes_of(salt).filter(|salt| salt.len() == SALT)?;
    (hash.len() == 2 * HASH).then(|| told(secret, &salt) == digest)
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// The salt of this process: one, so that its digests can be compared with each other. It needs to be nothing but another one than
/// other processes', so what the standard library draws for its hash tables does, and without a file that the jail would hide.
fn salt() -> &'static [u8; SALT] {
    static DRAWN: OnceLock<[u8; SALT]> = OnceLock::new();
    DRAWN.get_or_init(|| {
        let drawn = RandomState::new();
        let mut salt = [0; SALT];
        salt[..8].copy_from_slice(&drawn.hash_one(0).to_le_bytes());
        salt[8..].copy_from_slice(&drawn.hash_one(1).to_le_bytes());
        salt
    })
}

/// The first block of PBKDF2.
fn derive(secret: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    // HMAC takes keys of any length.
    let Ok(keyed) = Hmac::<Sha256>::new_from_slice(secret) else { return [0; 32] };
    let mut step: [u8; 32] = keyed.clone().chain_update(salt).chain_update([0, 0, 0, 1]).finalize().into_bytes().into();
    let mut sum = step;
    for _ in 1..rounds {
        step = keyed.clone().chain_update(step).finalize().into_bytes().into();
        sum.iter_mut().zip(step).for_each(|(sum, step)| *sum ^= step);
    }
    sum
}

#[cfg(test)]
mod test {
    use super::*;

    /// RFC 7914, section 11.
    #[test]
    fn it_is_pbkdf2() {
        let one = derive(b"passwd", b"salt", 1);
        assert_eq!(hex(&one), "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
        let many = derive(b"Password", b"NaCl", 80_000);
        assert_eq!(hex(&many), "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
    }

    #[test]
    fn a_digest_tells_of_one_secret() {
        let digest = tell(b"correct horse");
        assert_eq!(tells_of(&digest, b"correct horse"), Some(true));
        assert_eq!(tells_of(&digest, b"correct hors"), Some(false));
        assert_eq!(tell(b"correct horse"), digest, "in one process they can be compared as they are");
        let many = digest.replace(":100000:", ":4000000000:");
        for foreign in
            ["", "sha256:00", &many, &digest[..digest.len() - 1], &digest.replace("256:100000:", "256:100000:zz")]
        {
            assert_eq!(tells_of(foreign, b"correct horse"), None, "{foreign}");
        }
    }
}
