//! Secrets: their files, the document, what is hidden.

use super::*;
use base64::Engine as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn secret(text: &str) -> Secret {
    Secret::of_file(text.as_bytes()).unwrap()
}

fn secrets(all: &[(&str, &str)]) -> Secrets {
    all.iter().map(|(name, text)| ((*name).to_owned(), secret(text))).collect()
}

#[test]
fn a_module_gets_its_secrets_in_its_configuration() {
    let one = secrets(&[("stamp", "key of it"), ("b", "\u{1}\u{2}345678")]);
    let document = |config: &str| one.document(config.as_bytes()).map(|text| String::from_utf8(text.to_vec()).unwrap());
    let ours = "\"secrets\":{\"b\":\"0102333435363738\",\"stamp\":\"6b6579206f66206974\"}";
    assert_eq!(document("").unwrap(), format!("{{{ours}}}"));
    assert_eq!(document(r#"{"a":1,"z":"\"x"}"#).unwrap(), format!(r#"{{"a":1,{ours},"z":"\"x"}}"#));
    let read: serde_json::Value = serde_json::from_str(&document(r#"{"a":[1]}"#).unwrap()).unwrap();
    assert_eq!(read["secrets"]["stamp"], "6b6579206f66206974");
    assert_eq!(document("rules").unwrap_err(), told(NO_TABLE));
    assert_eq!(document(r#"{"secrets":{}}"#).unwrap_err(), told(TAKEN));
    // Without secrets it is what it was, whatever that is.
    assert_eq!(*Secrets::default().document(b"rules").unwrap(), b"rules");
    assert!(one.document(b"{\"a\":1}").unwrap().capacity() < 128, "the buffer never grew");
}

#[test]
fn neither_debug_nor_a_configuration_shows_it() {
    let text = "[[module]]\nname = \"m\"\nfile = \"m.wasm\"\nsecrets = { stamp = { file = \"k\" } }\n";
    let mut config = Config::read(text, "c").unwrap();
    assert!(config.modules[0].secrets().unwrap_err().to_string().contains("secret \"stamp\" was not read from \"k\""));
    config.give_secrets(|_| Ok::<_, Error>(Zeroizing::new(b"correct horse".to_vec()))).unwrap();
    let all = format!("{config:?} {:?}", config.modules[0].secrets().unwrap());
    assert!(all.contains("Some(Secret)") && !all.contains("correct") && !all.contains("99, 111"), "{all}");
    let mut other = config.clone();
    assert_eq!(config, other);
    other.modules[0].secrets.get_mut("stamp").unwrap().secret = Some(secret("correct mouse"));
    assert_eq!(config.diff(&other)[0].to_string(), "swap module m (secrets changed)");
}

#[test]
fn what_a_module_says_of_it_is_hidden() {
    let key = "correct horse battery staple";
    let hidden = secrets(&[("k", key)]);
    let said = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        hidden.hide(&mut bytes);
        String::from_utf8(bytes).unwrap()
    };
    let base64 = base64::engine::general_purpose::STANDARD;
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let digits = perigee_core::hex::hex(key.as_bytes());
    assert_eq!(said(&format!("key={key};")), format!("key={};", "*".repeat(key.len())));
    for form in [digits.clone(), digits.to_uppercase(), url.encode(key)] {
        assert_eq!(said(&format!("<{form}>")), format!("<{}>", "*".repeat(form.len())), "{form}");
    }
    for before in ["", "a", "ab", "abc"] {
        let text = said(&base64.encode(format!("{before}{key}!")));
        assert!(text.contains(&"*".repeat(key.len() * 4 / 3 - 1)), "{text}");
    }
    // A piece of it, as where a line was cut; not what has nothing to do with it.
    assert_eq!(said("ends in correct ho"), "ends in **********");
    assert_eq!(said("a horse, a `battery` and 00000000"), "a horse, a `battery` and 00000000");
    assert_eq!(said("horse b"), "horse b", "seven bytes");
    // A secret of zeros does not make everything secret.
    let zeros: Secrets = [("z".to_owned(), Secret::of_file(&[0; 64]).unwrap())].into_iter().collect();
    let mut bytes = vec![0; 100];
    zeros.hide(&mut bytes);
    assert_eq!(bytes, [0; 100]);
}

#[test]
fn a_text_loses_its_last_line_end_and_nothing_else() {
    let kept = |bytes: &[u8]| Secret::of_file(bytes).unwrap().0.bytes.to_vec();
    assert_eq!(kept(b"12345678\n"), b"12345678");
    assert_eq!(kept(b"12345678\r\n"), b"12345678");
    assert_eq!(kept(b"12345678\n\n"), b"12345678\n");
    assert_eq!(kept(b" 12345678 "), b" 12345678 ");
    assert_eq!(kept(b"\x00\x01\xff45678\n"), b"\x00\x01\xff45678\n");
    for (bytes, said) in [(&b"1234567\n"[..], "has a secret of 7 bytes"), (&[b'x'; MOST + 1], "has a secret of 4097")] {
        assert!(Secret::of_file(bytes).unwrap_err().to_string().starts_with(said));
    }
}

#[test]
fn a_file_that_others_can_get_at_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let refused = |path: &Path| (look(path).map_err(|e| e.what), read_file(path).map(|_| ()).map_err(|e| e.what));
    let is_refused = |path: &Path, what: &str| assert_eq!(refused(path), (Err(what.to_owned()), Err(what.to_owned())));
    is_refused(&path, "does not exist");
    fs::write(&path, "correct horse\n").unwrap();
    let mode = |mode: u32| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    for bits in [0o640, 0o604, 0o620, 0o602, 0o644, 0o610, 0o777] {
        mode(bits);
        is_refused(&path, &format!("has mode {bits:03o}, so that others can get at it"));
        assert_eq!(look(&path).unwrap_err().help, format!("chmod 600 {}", path.display()));
    }
    for bits in [0o600, 0o400, 0o700] {
        mode(bits);
        assert_eq!(refused(&path), (Ok(()), Ok(())));
    }
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    is_refused(&link, "is a link");
    is_refused(folder.path(), "is no plain file");
    mode(0o600);
    fs::write(&path, []).unwrap();
    is_refused(&path, "is empty");
    fs::write(&path, vec![b'x'; MOST + 1]).unwrap();
    is_refused(&path, "has 4097 bytes");
    // What only root can try.
    fs::write(&path, "correct horse").unwrap();
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
        is_refused(&path, "belongs to user 12345, neither to root nor to the user 0 that reads it");
    }
}
