//! Where calibrations are kept, and for what each holds: in the user's state folder, a file for each port of each machine.

use super::Calibration;
use anyhow::{Context, Result};
use perigee_runtime::load::digest;
use perigee_runtime::{Manifest, Summary};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a calibration holds for: of anything else it says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Key {
    pub(crate) driver: String,
    pub(crate) device: String,
    pub(crate) speed_mbps: u32,
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    pub(crate) dpdk: String,
}

impl Key {
    /// Of a run's port.
    pub(crate) fn of(summary: &Summary, port: usize) -> Option<Self> {
        Self::in_manifest(summary.manifest.as_ref()?, port)
    }

    /// The machine, its kernel and its DPDK are those of the run.
    pub(super) fn is_of(&self, manifest: &Manifest) -> bool {
        let machine = &manifest.machine;
        self.cpu == machine.cpu && self.kernel == machine.kernel && self.dpdk == manifest.dpdk
    }

    fn in_manifest(manifest: &Manifest, port: usize) -> Option<Self> {
        let port = manifest.ports.get(port)?;
        Some(Self {
            driver: port.driver.clone(),
            device: port.device.clone(),
            speed_mbps: port.speed_mbps,
            cpu: manifest.machine.cpu.clone(),
            kernel: manifest.machine.kernel.clone(),
            dpdk: manifest.dpdk.clone(),
        })
    }

    /// By driver and device alone, so that what another machine has left under the same name is found and told of.
    fn file(&self) -> Option<PathBuf> {
        let name = digest(format!("{}\n{}", self.driver, self.device).as_bytes());
        Some(folder()?.join(format!("{}.json", &name[..16])))
    }
}

/// By the XDG base directory specification, 0.8.
fn folder() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(absolute);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    Some(state.or_else(home)?.join("perigee/calibration"))
}

/// Keeps a calibration in the place of the one before.
pub(super) fn keep(calibration: &Calibration) -> Result<PathBuf> {
    let file = calibration.key.file().context("neither XDG_STATE_HOME nor HOME says where calibrations are kept")?;
    let folder = file.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut text = serde_json::to_string_pretty(calibration).context("JSON")?;
    text.push('\n');
    let cannot = || format!("cannot write {}", file.display());
    let mut new = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    std::io::Write::write_all(&mut new, text.as_bytes()).with_context(cannot)?;
    new.persist(&file).with_context(cannot)?;
    Ok(file)
}

/// All calibrations that there are, read before the jail takes the files away.
pub(crate) fn known() -> Vec<Calibration> {
    let files = folder().and_then(|folder| std::fs::read_dir(folder).ok());
    let texts = files.into_iter().flatten().flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok());
    texts.filter_map(|text| serde_json::from_str(&text).ok()).collect()
}

/// Says at each stream of a result which calibration its port has. One that was made elsewhere, or with other versions, is told of and not used.
pub(crate) fn mark(summary: &mut Summary, known: &[Calibration], port_of: impl Fn(&str) -> Option<usize>) {
    let Some(manifest) = summary.manifest.clone() else { return };
    for stream in &mut summary.snapshot.streams {
        let key = port_of(&stream.chain).and_then(|port| Key::in_manifest(&manifest, port));
        let Some(key) = key else { continue };
        let of_device = |one: &&Calibration| one.key.driver == key.driver && one.key.device == key.device;
        stream.calibration = match known.iter().find(of_device) {
            Some(calibration) if calibration.key == key => Some(format!("made at {} (Unix time)", calibration.made)),
            Some(_) => Some("none: the one that is kept is of another machine, kernel, DPDK or link".to_owned()),
            None => None,
        };
    }
}
