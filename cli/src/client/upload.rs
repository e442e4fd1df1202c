//! What is sent with requests that bring modules.

use super::requests::Swap;
use crate::read::{Loaded, read as read_config};
use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use perigee_runtime::config::{ModuleConfig, secret};
use perigee_runtime::load::Upload;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Largest module that is read: as base64 it is as long as the longest body that a server takes (64 MiB). Most runs take
/// less, by their `[load] module_size`, and say so.
const MAX_MODULE: u64 = 48 << 20;

/// The body of a request to swap.
pub(super) fn swap(swap: &Swap) -> Result<Vec<u8>> {
    let Swap { file, config, grace, fresh } = swap;
    let mut body = Map::new();
    let upload = read(file)?;
    body.insert("module".into(), STANDARD.encode(&upload.bytes).into());
    if let Some(signature) = upload.signature {
        body.insert("signature".into(), signature.into());
    }
    let config = config.read()?.map(|config| match config {
        ModuleConfig::Text(text) => Ok(Value::String(text)),
        // Its JSON is what the module reads.
        ModuleConfig::Table(_) => serde_json::from_slice(&config.bytes()),
    });
    if let Some(config) = config.transpose()? {
        body.insert("config".into(), config);
    }
    body.insert("grace".into(), humantime::format_duration(*grace).to_string().into());
    body.insert("fresh".into(), (*fresh).into());
    Ok(Value::Object(body).to_string().into_bytes())
}

/// The body of a request about a configuration: its text, its modules' files, and those of their secrets, which the run cannot
/// reach. It goes through a socket that only the run's user and root can reach.
pub(super) fn config(file: &Path) -> Result<Vec<u8>> {
    // Read as `run` does: problems are told with their lines, and nothing is asked.
    let Loaded { config, base, .. } = read_config(file)?;
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (mut files, mut signatures) = (Map::new(), Map::new());
    for entry in &config.modules {
        let upload = read(&base.join(&entry.file))?;
        files.insert(entry.file.clone(), STANDARD.encode(&upload.bytes).into());
        if let Some(signature) = upload.signature {
            signatures.insert(entry.file.clone(), signature.into());
        }
    }
    let mut secrets = Map::new();
    for entry in config.modules.iter().flat_map(|module| module.secrets.values()) {
        let path = base.join(&entry.file);
        let bytes = secret::read_file(&path).map_err(|unfit| anyhow!("{} {unfit}", path.display()))?;
        secrets.insert(entry.file.clone(), STANDARD.encode(&*bytes).into());
    }
    let body = json!({ "config": text, "files": files, "signatures": signatures, "secrets": secrets });
    Ok(body.to_string().into_bytes())
}

/// A module, with the signature that lies beside it.
fn read(file: &Path) -> Result<Upload> {
    Ok(Upload::read(file, MAX_MODULE)?)
}
