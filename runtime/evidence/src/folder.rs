//! A bundle's folder: written file by file, its manifest last; read back with every byte checked.

use super::hex;
use perigee_report::text;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

const MANIFEST: &str = "manifest.json";
/// Of the format of bundles.
const VERSION: u32 = 1;
/// Most bytes of one file that is read.
const MOST: u64 = 2 << 30;

/// What is in a bundle.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    perigee_bundle: u32,
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    bytes: u64,
    sha256: String,
}

/// Writes a bundle into a new folder that only its owner can read: packets are private. What cannot be written whole is
/// removed.
///
/// # Errors
/// The system's word.
pub(super) fn write(folder: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<u64> {
    DirBuilder::new().mode(0o700).create(folder)?;
    let written = write_all(folder, files);
    if written.is_err() {
        // What is left of it has no manifest, so that nobody takes it for a bundle.
        let _ = fs::remove_dir_all(folder);
    }
    written
}

fn write_all(folder: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<u64> {
    let mut manifest = Manifest { perigee_bundle: VERSION, files: BTreeMap::new() };
    let mut total = 0;
    for (name, bytes) in files {
        write_file(&folder.join(name), bytes)?;
        let entry = Entry { bytes: bytes.len() as u64, sha256: hex(&Sha256::digest(bytes)) };
        total += entry.bytes;
        manifest.files.insert((*name).to_owned(), entry);
    }
    let text = serde_json::to_vec_pretty(&manifest)?;
    let unfinished = folder.join("manifest.unfinished");
    write_file(&unfinished, &text)?;
    fs::rename(unfinished, folder.join(MANIFEST))?;
    Ok(total + text.len() as u64)
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

/// Reads files of a bundle; those that the bundle does not have are `None`.
///
/// # Errors
/// As a text: it is no bundle, not a whole one, or was changed.
pub(super) fn read(folder: &Path, names: &[&str]) -> Result<Vec<Option<Vec<u8>>>, String> {
    let manifest = read_file(&folder.join(MANIFEST)).map_err(|e| {
        format!("{MANIFEST}: {e}: this is no bundle, or one that was not written to its end (the manifest comes last)")
    })?;
    let manifest: Manifest =
        serde_json::from_slice(&manifest).map_err(|e| format!("{MANIFEST}: {}", text::line(&e, text::REPORT)))?;
    if manifest.perigee_bundle != VERSION {
        let version = manifest.perigee_bundle;
        return Err(format!(
            "{MANIFEST}: a bundle of version {version}, this program reads {VERSION}: use the one that wrote it"
        ));
    }
    let mut contents = Vec::new();
    for name in names {
        contents.push(match manifest.files.get(*name) {
            None => None,
            Some(entry) => Some(checked(folder, name, entry)?),
        });
    }
    Ok(contents)
}

fn checked(folder: &Path, name: &str, entry: &Entry) -> Result<Vec<u8>, String> {
    let bytes = read_file(&folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
    let sha256 = hex(&Sha256::digest(&bytes));
    if bytes.len() as u64 != entry.bytes || sha256 != entry.sha256 {
        return Err(format!(
            "{name} is not what was written: it has {} bytes and SHA-256 {sha256}, the manifest says {} and {}",
            bytes.len(),
            entry.bytes,
            text::line(&entry.sha256, text::NAME)
        ));
    }
    Ok(bytes)
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A pipe that nobody writes to would keep us waiting otherwise.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is not a plain file"));
    }
    let read = file.take(MOST + 1).read_to_end(&mut bytes)?;
    if read as u64 > MOST {
        return Err(io::Error::other(format!("more than {MOST} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_bundle_is_private_and_each_byte_of_it_counts() {
        let base = tempfile::tempdir().expect("a directory");
        let folder = base.path().join("b");
        write(&folder, &[("a", b"one".to_vec()), ("b", b"two".to_vec())]).expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("a")), mode(&folder.join(MANIFEST))), (0o700, 0o600, 0o600));
        assert_eq!(read(&folder, &["b", "c"]), Ok(vec![Some(b"two".to_vec()), None]));

        fs::write(folder.join("a"), b"One").expect("changed");
        let refused = read(&folder, &["a"]).expect_err("changed");
        assert!(refused.starts_with("a is not what was written"), "{refused}");
        fs::remove_file(folder.join(MANIFEST)).expect("removed");
        let refused = read(&folder, &["b"]).expect_err("incomplete");
        assert!(refused.contains("not written to its end"), "{refused}");
    }
}
