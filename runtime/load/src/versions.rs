//! The highest version seen of each signed module: what stands in its signature's trusted comment may not go back.

use super::directory;
use super::upload::read_open;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const FILE: &str = "versions.json";
const LOCK: &str = "lock";
const MOST_FILE: u64 = 16 << 20;
/// Most modules that are remembered: keys in a policy decide about names, so this is only reached by mistake.
const MOST_MODULES: usize = 100_000;

/// A directory with the file of versions.
pub(super) struct Versions {
    path: PathBuf,
    lock: File,
}

impl Versions {
    /// Takes the directory.
    ///
    /// # Errors
    /// It is not ours alone, cannot be made, or has a file that nobody understands.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        directory::claim(path)?;
        let lock = path.join(LOCK);
        let opened =
            OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(&lock);
        let lock = opened.map_err(|e| format!("{}: {e}", lock.display()))?;
        let versions = Self { path: path.to_owned(), lock };
        versions.read()?;
        Ok(versions)
    }

    pub(super) fn highest(&self, module: &str) -> Result<Option<u64>, String> {
        Ok(self.read()?.get(module).copied())
    }

    pub(super) fn remember(&self, module: &str, version: u64, back: bool) -> Result<(), String> {
        let say = |e: std::io::Error| format!("{}: {e}", self.path.join(FILE).display());
        // Two processes that remember at a time must not lose one another's version.
        self.lock.lock().map_err(say)?;
        let result = self.replace(module, version, back, say);
        self.lock.unlock().map_err(say)?;
        result
    }

    fn replace(
        &self,
        module: &str,
        version: u64,
        back: bool,
        say: impl Fn(std::io::Error) -> String,
    ) -> Result<(), String> {
        let mut all = self.read()?;
        match all.get(module) {
            Some(highest) if *highest > version && !back => {
                return Err(format!("version {version} is older than {highest}, which was loaded meanwhile"));
            }
            Some(highest) if *highest == version => return Ok(()),
            None if all.len() >= MOST_MODULES => {
                return Err(format!("{MOST_MODULES} modules are remembered already: remove those that are no more"));
            }
            _ => {}
        }
        all.insert(module.to_owned(), version);
        let text = serde_json::to_vec_pretty(&all).map_err(|e| e.to_string())?;
        let mut file = tempfile::Builder::new().prefix("new").suffix(".part").tempfile_in(&self.path).map_err(&say)?;
        file.write_all(&text).map_err(&say)?;
        // A version that is forgotten at a power failure could go back.
        file.as_file().sync_all().map_err(&say)?;
        file.persist(self.path.join(FILE)).map_err(|e| say(e.error))?;
        Ok(())
    }

    /// What is remembered. A file that cannot be understood is not taken for an empty one: all versions could go back.
    fn read(&self) -> Result<BTreeMap<String, u64>, String> {
        let path = self.path.join(FILE);
        let bytes = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&path) {
            Ok(file) => read_open(&file, &path, MOST_FILE).map_err(|e| e.to_string())?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        serde_json::from_slice(&bytes).map_err(|e| {
            format!(
                "{}: {e}; it has the versions that modules may not go back behind: restore it, or remove it to begin anew",
                path.display()
            )
        })
    }
}
