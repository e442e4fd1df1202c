//! `perigee key`, `sign` and `verify`: keys and signatures in minisign's format, which minisign itself reads and writes.

use crate::args::{KeyCommand, SignOptions, VerifyOptions};
use crate::{load, output};
use anyhow::{Context, Result, anyhow, bail};
use minisign::{KeyPair, SecretKey, SecretKeyBox};
use perigee_runtime::load::{Key, Policy, Unverified, Upload, signature_path};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Most bytes of a module that is signed or verified: what any run can be told to take.
const MOST: u64 = 256 << 20;
/// Where a program hands over the password of a secret key, which is asked for otherwise.
const PASSWORD: &str = "PERIGEE_KEY_PASSWORD";

/// `perigee key`.
pub(crate) fn key(command: KeyCommand) -> Result<ExitCode> {
    let KeyCommand::New { file, no_password } = command;
    let public = file.with_extension("pub");
    // Before anything is made: a key that was overwritten is lost.
    for path in [&file, &public] {
        if path.exists() {
            bail!("{} is there already: choose another name, or remove it", path.display());
        }
    }
    let pair = if no_password {
        KeyPair::generate_unencrypted_keypair()
    } else {
        KeyPair::generate_encrypted_keypair(password())
    };
    let pair = pair.map_err(|e| anyhow!("the key could not be made: {e}"))?;
    let text = |e: minisign::PError| anyhow!("the key could not be written: {e}");
    write_new(&file, &pair.sk.to_box(None).map_err(text)?.to_bytes(), 0o600)?;
    write_new(&public, &pair.pk.to_box().map_err(text)?.to_bytes(), 0o644)?;
    output::result(&format!(
        "secret key: {}\npublic key: {}\nfor a policy: key = \"{}\"\n",
        file.display(),
        public.display(),
        pair.pk.to_base64()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// `perigee sign`.
pub(crate) fn sign(options: &SignOptions) -> Result<ExitCode> {
    let upload = Upload::read(&options.file, MOST)?;
    let secret = secret(&options.key)?;
    let name = options.name.clone().unwrap_or_else(|| load::stem(&options.file));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let version = options.version.unwrap_or(now);
    let comment = format!("timestamp:{now} name:{name} version:{version}");
    let signed =
        minisign::sign(None, &secret, upload.bytes.as_slice(), Some(&comment), Some("signature by perigee sign"));
    let text = signed.map_err(|e| anyhow!("it could not be signed: {e}"))?.into_string();
    // As a run would read it: a name that it refuses shall not be signed.
    let public =
        minisign::PublicKey::from_secret_key(&secret).map_err(|e| anyhow!("{}: {e}", options.key.display()))?;
    let read = Key::read(&public.to_base64()).and_then(|key| key.verify(&upload.bytes, &Unverified::read(&text)?));
    read.map_err(|what| anyhow!("{}: {what}", options.file.display()))?;
    let to = signature_path(&options.file);
    std::fs::write(&to, &text).with_context(|| format!("cannot write {}", to.display()))?;
    output::result(&format!("{}: {name}, version {version}\n", to.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// `perigee verify`.
pub(crate) fn verify(options: &VerifyOptions) -> Result<ExitCode> {
    let file = options.file.display();
    let upload = Upload::read(&options.file, MOST)?;
    let say = |what: String| anyhow!("{file}: {what}");
    if let Some(policy) = &options.policy {
        let policy = Policy::read(policy)?;
        let name = options.name.clone().unwrap_or_else(|| load::stem(&options.file));
        let admission = policy.admit_bytes(&name, &upload).map_err(say)?;
        let by = admission.entry.as_ref().map_or_else(|| "as an unsigned module".to_owned(), |e| format!("as {e:?}"));
        let version = admission.version().map(|version| format!(", version {version}")).unwrap_or_default();
        output::result(&format!("{file}: admitted {by}{version}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(key) = &options.key else { bail!("give --key or --policy") };
    let key = public(key)?;
    let Some(signature) = &upload.signature else {
        bail!("{file}: there is no {}", signature_path(&options.file).display());
    };
    let signature = Unverified::read(signature).map_err(say)?;
    if signature.id != key.id() {
        bail!("{file}: is signed by key {}, not by {}", signature.id, key.id());
    }
    let claims = key.verify(&upload.bytes, &signature).map_err(say)?;
    let name = claims.name.map(|name| format!(", {name}")).unwrap_or_default();
    let version = claims.version.map(|version| format!(", version {version}")).unwrap_or_default();
    output::result(&format!("{file}: signed by key {}{name}{version}\n", key.id()))?;
    Ok(ExitCode::SUCCESS)
}

/// A public key that is given as a file or as its text.
fn public(text: &str) -> Result<Key> {
    let text = if Path::new(text).is_file() {
        std::fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?
    } else {
        text.to_owned()
    };
    Key::read(&text).map_err(|what| anyhow!(what))
}

fn secret(file: &Path) -> Result<SecretKey> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let of = |text: &str| SecretKeyBox::from_string(text).map_err(|e| anyhow!("{}: {e}", file.display()));
    // One without a password says so itself.
    if let Ok(key) = of(&text)?.into_unencrypted_secret_key() {
        return Ok(key);
    }
    of(&text)?.into_secret_key(password()).map_err(|e| {
        let hint = "; a key that minisign made without a password (-W) lacks a checksum: sign with minisign itself";
        anyhow!("{}: {e}{}", file.display(), if e.to_string().contains("not encrypted") { hint } else { "" })
    })
}

fn password() -> Option<String> {
    std::env::var(PASSWORD).ok()
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("cannot write {}", path.display()))
}
