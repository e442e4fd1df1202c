//! Signatures and policies: parsed, and never taken for more than they are.

use perigee_runtime::load::{Key, Policy, Unverified, Upload};

/// A key of which nobody has the secret half any more.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
/// What the corpus has a right signature for.
const SIGNED: &[u8] = b"test";
const POLICY: &str = "[[key]]\nname = \"k\"\nunversioned = \"accept\"\nkey = \"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"\n";

/// Takes bytes for a signature. It is right for the file that was signed or for none, and says nothing about other files.
pub fn signature(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let key = Key::read(KEY).expect("a key");
    let policy = Policy::parse(POLICY).expect("a policy");
    let admitted = |bytes: &[u8]| {
        let upload = Upload { bytes: bytes.to_vec(), signature: Some(text.to_owned()) };
        policy.admit_bytes("test", &upload).is_ok()
    };
    assert!(!admitted(b"Test"), "a signature of another file was accepted");
    let Ok(signature) = Unverified::read(text) else {
        assert!(!admitted(SIGNED), "it cannot be read, and was accepted");
        return;
    };
    if let Ok(claims) = key.verify(SIGNED, &signature) {
        assert_eq!((claims.name, claims.version), (None, None), "claims that nobody has signed");
        assert_eq!(signature.id, key.id());
    }
}

/// Takes bytes for a policy. One that is accepted admits nothing unsigned, unless it says so.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(policy) = Policy::parse(text) else { return };
    let plain = Upload::from(b"no digest of a policy is of these bytes".to_vec());
    if let Ok(admission) = policy.admit_bytes("m", &plain) {
        assert!(text.contains("lowest"), "unsigned bytes were admitted by {text}");
        assert_eq!(admission.bound, perigee_runtime::config::Grants::default());
    }
}
