//! Where calibrations are kept: in the user's state folder, a file for each port of each machine.

use super::Calibration;
use anyhow::{Context, Result};
use perigee_runtime::load::digest;
use perigee_runtime::{Calibrated, CalibrationKey};
use std::path::PathBuf;

/// By driver and device alone, so that what another machine has left under the same name is found and told of.
fn file(key: &CalibrationKey) -> Option<PathBuf> {
    let name = digest(format!("{}\n{}", key.driver, key.device).as_bytes());
    Some(folder()?.join(format!("{}.json", &name[..16])))
}

/// By the XDG base directory specification, 0.8.
fn folder() -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(absolute);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    Some(state.or_else(home)?.join("perigee/calibration"))
}

/// Keeps a calibration in the place of the one before. What that one has of other methods stays, where it holds for the same.
pub(super) fn keep(calibration: &Calibration) -> Result<PathBuf> {
    let mut calibration = calibration.clone();
    let before = known().into_iter().find(|before| before.key == calibration.key);
    let is_new = |method| calibration.points.iter().any(|point| point.method == method);
    let points = before.into_iter().flat_map(|before| before.points);
    let stays: Vec<_> = points.filter(|point| !is_new(point.method)).collect();
    calibration.points.extend(stays);
    let file = file(&calibration.key).context("neither XDG_STATE_HOME nor HOME says where calibrations are kept")?;
    let folder = file.parent().context("a file has a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut text = serde_json::to_string_pretty(&calibration).context("JSON")?;
    text.push('\n');
    let cannot = || format!("cannot write {}", file.display());
    let mut new = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    std::io::Write::write_all(&mut new, text.as_bytes()).with_context(cannot)?;
    new.persist(&file).with_context(cannot)?;
    Ok(file)
}

/// What runs choose methods by.
pub(crate) fn methods(known: &[Calibration]) -> Vec<Calibrated> {
    let told = |one: &Calibration| Calibrated {
        trials: one.trials(),
        made: format!("{} (Unix time)", one.made),
        key: one.key.clone(),
    };
    known.iter().map(told).collect()
}

/// All calibrations that there are, read before the jail takes the files away.
pub(crate) fn known() -> Vec<Calibration> {
    let files = folder().and_then(|folder| std::fs::read_dir(folder).ok());
    let texts = files.into_iter().flatten().flatten().filter_map(|file| std::fs::read_to_string(file.path()).ok());
    texts.filter_map(|text| serde_json::from_str(&text).ok()).collect()
}
