//! Which modules are loaded under a policy: each way to get a foreign, changed, old or greedy one in is tried, and refused.

use minisign::{KeyPair, PublicKey};
use perigee_runtime::Options;
use perigee_runtime::config::{Config, Module};
use perigee_runtime::load::{Compiler, Loader, Policy, Unverified, Upload};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The least that is a module for Perigee.
const MODULE: &str = r#"(module (memory (export "memory") 80)
  (global (export "perigee_abi") i32 (i32.const 3))
  (global (export "perigee_batch") i32 (i32.const 64))
  (global (export "perigee_window") i32 (i32.const 65536))
  (global (export "perigee_window_len") i32 (i32.const 4718592))
  (func (export "process") (param i32) (i32.store offset=1672 (i32.const 64) (i32.const 1))))"#;
const COMMENT: &str = "timestamp:1 name:acl version:7";

fn pair() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().unwrap()
}

fn sign(pair: &KeyPair, bytes: &[u8], comment: &str) -> String {
    minisign::sign(None, &pair.sk, bytes, Some(comment), None).unwrap().into_string()
}

fn upload(bytes: &str, signature: &str) -> Upload {
    Upload { bytes: bytes.as_bytes().to_vec(), signature: Some(signature.to_owned()) }
}

fn policy_of(pair: &KeyPair, rest: &str) -> String {
    format!("[[key]]\nname = \"vendor\"\nkey = \"{}\"\n{rest}", pair.pk.to_base64())
}

/// Asserts that it is refused, with these words.
fn refused(policy: &str, upload: &Upload, said: &str) {
    let what = Policy::parse(policy).unwrap().admit_bytes("acl", upload).expect_err(said);
    assert!(what.contains(said), "expected {said:?}, got {what:?}");
}

#[test]
fn what_is_signed_as_it_should_be_is_admitted() {
    let pair = pair();
    let policy = Policy::parse(&policy_of(&pair, "")).unwrap();
    let admission = policy.admit_bytes("acl", &upload(MODULE, &sign(&pair, MODULE.as_bytes(), COMMENT))).unwrap();
    assert_eq!((admission.entry.as_deref(), admission.version()), (Some("vendor"), Some(7)));
}

#[test]
fn no_byte_of_module_or_signature_may_differ() {
    let pair = pair();
    let policy = Policy::parse(&policy_of(&pair, "")).unwrap();
    let good = sign(&pair, MODULE.as_bytes(), COMMENT);
    let mut tried = 0;
    for at in 0..MODULE.len() {
        for bit in [1, 128] {
            let mut bytes = MODULE.as_bytes().to_vec();
            bytes[at] ^= bit;
            let changed = Upload { bytes, signature: Some(good.clone()) };
            policy.admit_bytes("acl", &changed).expect_err("a changed module");
            tried += 1;
        }
    }
    for longer in [format!("{MODULE} "), MODULE[1..].to_owned(), String::new()] {
        policy.admit_bytes("acl", &upload(&longer, &good)).expect_err("a longer or shorter module");
        tried += 1;
    }
    // The first line is a comment that nobody vouches for; all others count.
    let first = good.find('\n').unwrap() + 1;
    for at in first..good.len() {
        for with in [b'A', b'7', b' ', b'/', b'=', 0] {
            let mut bytes = good.clone().into_bytes();
            if bytes[at] == with || bytes[at].is_ascii_whitespace() {
                continue;
            }
            bytes[at] = with;
            let text = String::from_utf8(bytes).unwrap();
            let outcome = policy.admit_bytes("acl", &upload(MODULE, &text));
            assert!(outcome.is_err(), "byte {at} of the signature: {text}");
            tried += 1;
        }
    }
    for len in 0..good.trim_end().len() {
        policy.admit_bytes("acl", &upload(MODULE, &good[..len])).expect_err("a signature that is cut off");
        tried += 1;
    }
    println!("{tried} changed modules and signatures, 0 admitted");
}

#[test]
fn signatures_of_others_are_refused() {
    let (ours, theirs) = (pair(), pair());
    let policy = policy_of(&ours, "");
    let module = MODULE.as_bytes();
    let good = sign(&ours, module, COMMENT);
    refused(&policy, &upload(MODULE, &sign(&theirs, module, COMMENT)), "which the policy does not have");
    refused(&policy, &Upload::from(module.to_vec()), "is not signed");
    refused(&policy, &upload(MODULE, &sign(&ours, b"another file", COMMENT)), "is wrong");
    // Anybody can make a key with the number of ours.
    let mut forged = pair();
    forged.sk = {
        let (mut bytes, number) = (forged.sk.to_bytes(), ours.sk.keynum());
        let at = bytes.windows(8).position(|w| w == forged.sk.keynum()).unwrap();
        bytes[at..at + 8].copy_from_slice(number);
        minisign::SecretKey::from_bytes(&bytes).unwrap()
    };
    let signature = sign(&forged, module, COMMENT);
    assert_eq!(Unverified::read(&signature).unwrap().id, Unverified::read(&good).unwrap().id);
    refused(&policy, &upload(MODULE, &signature), "is wrong");
    // The comment of one signature under another.
    let newer = sign(&ours, module, "timestamp:1 name:acl version:8");
    let lines = |text: &str, n: usize| text.lines().nth(n).unwrap().to_owned();
    let mixed = |a: usize, b: usize| {
        let pick = |n: usize| if n == a || n == b { lines(&newer, n) } else { lines(&good, n) };
        (0..4).map(|n| pick(n) + "\n").collect::<String>()
    };
    for (a, b) in [(2, 2), (3, 3), (2, 3), (1, 1)] {
        refused(&policy, &upload(MODULE, &mixed(a, b)), "is wrong");
    }
    refused(&policy, &upload(MODULE, &format!("{good}more\n")), "more than its four lines");
    refused(&policy, &upload(MODULE, &format!("{good}{}", " ".repeat(9_000))), "9");
    refused(&policy, &upload(MODULE, ""), "not in minisign's format");
    refused(&policy, &upload(MODULE, "\u{0}\u{1}\n\n\n\n"), "not in minisign's format");
}

#[test]
fn algorithms_that_are_not_known_are_refused() {
    let pair = pair();
    let good = sign(&pair, MODULE.as_bytes(), COMMENT);
    // "ED" begins with "RU": the old kind is "Ed" ("RW"), and there is no "EE" ("RU" and another third digit).
    for (with, said) in [("RWQ", "algorithm"), ("RUU", "not in minisign's format"), ("AAA", "not in minisign's format")]
    {
        let line = good.lines().nth(1).unwrap();
        let changed = good.replace(line, &format!("{with}{}", &line[3..]));
        let what = Policy::parse(&policy_of(&pair, "")).unwrap().admit_bytes("acl", &upload(MODULE, &changed));
        let what = what.expect_err(with);
        assert!(what.contains(said) || what.contains("which the policy does not have"), "{with}: {what}");
    }
}

#[test]
fn comments_that_say_too_little_or_too_much_are_refused() {
    let pair = pair();
    for (comment, said) in [
        ("timestamp:1", "no name or no version"),
        ("name:acl", "no name or no version"),
        ("version:7", "no name or no version"),
        ("name:log version:7", "is signed as \"log\""),
        ("name:ACL version:7", "is signed as \"ACL\""),
        ("name:acl version:7 version:8", "two versions"),
        ("name:acl name:log version:7", "two names"),
        ("name:acl version:-7", "not a whole number"),
        ("name:acl version:07", "not a whole number"),
        ("name:acl version:7.1", "not a whole number"),
        ("name:acl version:18446744073709551616", "not a whole number"),
        ("name:../acl version:7", "letters, digits"),
        ("name: version:7", "letters, digits"),
    ] {
        refused(&policy_of(&pair, ""), &upload(MODULE, &sign(&pair, MODULE.as_bytes(), comment)), said);
    }
    let plain = upload(MODULE, &sign(&pair, MODULE.as_bytes(), "timestamp:1 file:x"));
    let policy = Policy::parse(&policy_of(&pair, "unversioned = \"accept\"")).unwrap();
    assert!(policy.admit_bytes("acl", &plain).unwrap().signed.is_some());
}

#[test]
fn policies_that_contradict_themselves_are_refused() {
    let key = PublicKey::from_secret_key(&pair().sk).unwrap().to_base64();
    let entry = |name: &str, key: &str| format!("[[key]]\nname = \"{name}\"\nkey = \"{key}\"\n");
    let digest = |sha: &str| format!("[[digest]]\nname = \"d\"\nsha256 = \"{sha}\"\n");
    for (policy, said) in [
        (entry("a", &key) + &entry("b", &key), "about the same key"),
        (entry("a", &key) + &entry("a", &pair().pk.to_base64()), "two entries are called"),
        (entry("", &key), "empty name"),
        (entry("a", &key[1..]), "no public key"),
        (entry("a", "RWQ"), "no public key"),
        (entry("a", &key) + "rights = 1", "unknown field"),
        (entry("a", &key) + "[key.grants]\ntxx = []", "unknown field"),
        (digest(&"0".repeat(63)), "no SHA-256"),
        (digest(&"g".repeat(64)), "no SHA-256"),
        ("unsigned = \"accept\"".to_owned(), "unknown variant"),
        ("[key".to_owned(), "TOML"),
    ] {
        let what = Policy::parse(&policy).expect_err(said);
        assert!(what.contains(said), "expected {said:?}, got {what:?}");
    }
}

/// A loader as a run has it, with all its files in one directory.
fn loader(folder: &Path, allow_downgrade: bool, compiler: Compiler) -> Result<Loader, perigee_runtime::Error> {
    let text = "[load]\npolicy = \"policy.toml\"\ncache = \"cache\"\nstate = \"state\"\n";
    let mut options = Options::default();
    (options.allow_downgrade, options.compiler) = (allow_downgrade, compiler);
    options.loader(&Config::read(text, "test").unwrap().load, folder)
}

fn server() -> Compiler {
    Compiler::Process { program: env!("CARGO_BIN_EXE_perigee").into(), arguments: vec!["compile-server".into()] }
}

#[test]
fn versions_do_not_go_back_in_this_process_or_the_next() {
    for compiler in [Compiler::InProcess, server()] {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (pair(), pair());
        let other = policy_of(&theirs, "").replace("vendor", "other");
        std::fs::write(folder.path().join("policy.toml"), policy_of(&ours, "") + &other).unwrap();
        let version = |n: u64| upload(MODULE, &sign(&ours, MODULE.as_bytes(), &format!("name:acl version:{n}")));
        let entry = Module::new("acl", "");
        let start = |back| loader(folder.path(), back, compiler.clone()).unwrap();
        let first = start(false);
        for n in [3, 3, 5] {
            assert_eq!(first.inspect(&entry, &version(n)).unwrap().origin.version, Some(n));
        }
        let old = |loader: &Loader, n| loader.inspect(&entry, &version(n)).unwrap_err().to_string();
        assert!(old(&first, 4).contains("is version 4, and version 5 was loaded before"), "{}", old(&first, 4));
        drop(first);
        let second = start(false);
        assert!(old(&second, 4).contains("--allow-downgrade"));
        // A module that cannot run does not raise the version.
        let broken = "(module)";
        let signed = upload(broken, &sign(&ours, broken.as_bytes(), "name:acl version:9"));
        assert!(second.inspect(&entry, &signed).unwrap_err().to_string().contains("exports no memory"));
        assert_eq!(second.inspect(&entry, &version(5)).unwrap().origin.version, Some(5));
        // Another vendor's module of that name has versions of its own.
        let foreign = upload(MODULE, &sign(&theirs, MODULE.as_bytes(), "name:acl version:1"));
        assert_eq!(second.inspect(&entry, &foreign).unwrap().origin.policy.as_deref(), Some("other"));
        drop(second);
        assert_eq!(start(true).inspect(&entry, &version(2)).unwrap().origin.version, Some(2));
        assert!(start(false).inspect(&entry, &version(1)).is_err());
        assert_eq!(start(false).inspect(&entry, &version(2)).unwrap().origin.version, Some(2));
        std::fs::write(folder.path().join("state/versions.json"), "{").unwrap();
        let what = loader(folder.path(), false, compiler.clone()).unwrap_err().to_string();
        assert!(what.contains("may not go back behind"), "{what}");
        std::fs::remove_file(folder.path().join("state/versions.json")).unwrap();
        std::fs::set_permissions(folder.path().join("state"), PermissionsExt::from_mode(0o770)).unwrap();
        let what = loader(folder.path(), false, compiler.clone()).unwrap_err().to_string();
        assert!(what.contains("others can write to it"), "{what}");
    }
}

#[test]
fn grants_beyond_the_policy_are_refused_with_what_exceeds() {
    let folder = tempfile::tempdir().unwrap();
    let pair = pair();
    let digest = "f".repeat(64);
    let bound = format!(
        "[key.grants]\ntx = [\"wan\"]\nmemory = \"64M\"\nhostcalls = [\"counter\"]\npackets_per_second = 1000\n\
         [[digest]]\nname = \"other\"\nsha256 = \"{digest}\"\n"
    );
    std::fs::write(folder.path().join("policy.toml"), policy_of(&pair, &bound)).unwrap();
    let loader = loader(folder.path(), false, Compiler::InProcess).unwrap();
    let signed = upload(MODULE, &sign(&pair, MODULE.as_bytes(), COMMENT));
    let entry = |grants: &str| {
        let mut entry = Module::new("acl", "");
        entry.grants = toml::from_str(grants).unwrap();
        entry
    };
    let within = "memory = \"64M\"\ntx = [\"wan\"]\npackets_per_second = 10\n";
    assert!(loader.inspect(&entry(within), &signed).is_ok());
    for (more, said) in [
        ("memory = \"65M\"\npackets_per_second = 1", "memory"),
        ("memory = \"1M\"\ntx = [\"lan\"]\npackets_per_second = 1", "lan"),
        ("memory = \"1M\"\ncreate = true\npackets_per_second = 1", "create"),
        ("memory = \"1M\"\nhostcalls = [\"time\"]\npackets_per_second = 1", "Time"),
        ("memory = \"1M\"\ntx = [\"wan\"]\npackets_per_second = 1001", "packets_per_second"),
        ("memory = \"1M\"\ntx = [\"wan\"]", "packets_per_second"),
        ("memory = \"1M\"\nclock = \"precise\"\npackets_per_second = 1", "clock"),
        ("memory = \"1M\"\nhold = 1\npackets_per_second = 1", "hold"),
    ] {
        let what = loader.inspect(&entry(more), &signed).expect_err(said).to_string();
        assert!(what.contains("is granted more than the policy allows \"vendor\"") && what.contains(said), "{what}");
    }
}

#[test]
fn unsigned_modules_get_nothing_or_the_least() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, "unsigned = \"lowest\"").unwrap();
    let lowest = loader(folder.path(), false, Compiler::InProcess).unwrap();
    let plain = Upload::from(MODULE.as_bytes().to_vec());
    let mut entry = Module::new("acl", "");
    assert_eq!(lowest.inspect(&entry, &plain).unwrap().origin.policy, None);
    entry.grants.create = true;
    let what = lowest.inspect(&entry, &plain).unwrap_err().to_string();
    assert!(what.contains("allows unsigned modules: create"), "{what}");
    // A signature that nobody can verify is not less than none: it is wrong.
    let signed = upload(MODULE, &sign(&pair(), MODULE.as_bytes(), COMMENT));
    assert!(lowest.inspect(&Module::new("acl", ""), &signed).is_err());
    // A digest admits these bytes and no others.
    let sha = lowest.inspect(&Module::new("acl", ""), &plain).unwrap().origin.sha256;
    std::fs::write(&file, format!("[[digest]]\nname = \"listed\"\nsha256 = \"{sha}\"")).unwrap();
    let listed = loader(folder.path(), false, Compiler::InProcess).unwrap();
    assert_eq!(listed.inspect(&Module::new("acl", ""), &plain).unwrap().origin.policy.as_deref(), Some("listed"));
    let other = Upload::from(format!("{MODULE} ").into_bytes());
    let what = listed.inspect(&Module::new("acl", ""), &other).unwrap_err().to_string();
    assert!(what.contains("no entry for its digest"), "{what}");
}

/// Runs a program in a folder; its standard output, or what it said where it failed.
fn said(folder: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let out = std::process::Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}

#[test]
fn minisign_verifies_our_signatures_and_we_verify_its() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acl.wat"), MODULE).unwrap();
    let perigee = |arguments: &[&str]| said(folder.path(), env!("CARGO_BIN_EXE_perigee"), arguments);
    let minisign = |arguments: &[&str]| said(folder.path(), "minisign", arguments);
    perigee(&["key", "new", "ours.key", "--no-password"]).unwrap();
    assert!(perigee(&["key", "new", "ours.key", "--no-password"]).unwrap_err().contains("is there already"));
    perigee(&["sign", "acl.wat", "--key", "ours.key", "--version", "7"]).unwrap();
    assert!(perigee(&["verify", "acl.wat", "--key", "ours.pub"]).unwrap().contains("acl, version 7"));
    let verified = minisign(&["-Vm", "acl.wat", "-p", "ours.pub"]).unwrap();
    assert!(verified.contains("name:acl version:7"), "{verified}");
    minisign(&["-G", "-W", "-p", "theirs.pub", "-s", "theirs.key"]).unwrap();
    assert!(perigee(&["verify", "acl.wat", "--key", "theirs.pub"]).unwrap_err().contains("is signed by key"));
    minisign(&["-S", "-W", "-m", "acl.wat", "-s", "theirs.key", "-t", "name:acl version:8"]).unwrap();
    assert!(perigee(&["verify", "acl.wat", "--key", "theirs.pub"]).unwrap().contains("acl, version 8"));
    std::fs::write(folder.path().join("acl.wat"), format!("{MODULE} ")).unwrap();
    assert!(perigee(&["verify", "acl.wat", "--key", "theirs.pub"]).unwrap_err().contains("is wrong"));
    assert!(minisign(&["-Vm", "acl.wat", "-p", "theirs.pub"]).is_err());
}
