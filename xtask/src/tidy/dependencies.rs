//! Dependencies between our own crates point one way (docs/architecture.md): a module never sees the runtime, the runtime
//! never sees the guest SDK, and these tools see neither.

use super::Finding;
use crate::modules;
use serde_json::Value;
use std::path::Path;

/// Where a crate lies, and which of our crates it may depend on. Crates elsewhere (cli, examples, benches) are free.
const RULES: [(&str, &[&str]); 7] = [
    ("abi", &[]),
    ("dpdk-sys", &[]),
    ("xtask", &[]),
    ("guest-sdk", &["abi", "guest-sdk/derive"]),
    ("guest-sdk/derive", &[]),
    ("runtime", &["abi", "dpdk-sys"]),
    ("modules/", &["abi", "guest-sdk"]),
];

pub(super) fn check(metadata: &Value, root: &Path) -> Vec<Finding> {
    let inside = |path: &Value| Some(Path::new(path.as_str()?).strip_prefix(root).ok()?.to_string_lossy().into_owned());
    let mut findings = Vec::new();
    for package in modules::packages(metadata) {
        let Some(folder) = inside(&package["manifest_path"]) else {
            continue;
        };
        let folder = folder.trim_end_matches("/Cargo.toml");
        let rule = RULES.iter().find(|(at, _)| folder == *at || (at.ends_with('/') && folder.starts_with(at)));
        let Some((_, allowed)) = rule else { continue };
        // Tests may look across: they are in nobody's binary.
        let dependencies = package["dependencies"].as_array().into_iter().flatten().filter(|d| d["kind"] != "dev");
        let ours = dependencies.filter_map(|dependency| inside(&dependency["path"]));
        for dependency in ours.filter(|dependency| !allowed.contains(&dependency.as_str())) {
            findings.push(Finding::Error(format!("{folder} must not depend on {dependency}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(folder: &str, dependency: Value) -> Vec<Finding> {
        let package = json!({ "manifest_path": format!("/p/{folder}/Cargo.toml"), "dependencies": [dependency] });
        check(&json!({ "packages": [package] }), Path::new("/p"))
    }

    #[test]
    fn a_module_must_not_see_the_runtime() {
        let wrong = found("modules/a", json!({ "path": "/p/runtime", "kind": null }));
        assert_eq!(wrong, [Finding::Error("modules/a must not depend on runtime".into())]);
    }

    #[test]
    fn what_points_the_right_way_passes() {
        assert_eq!(found("modules/a", json!({ "path": "/p/guest-sdk", "kind": null })), []);
        assert_eq!(found("modules/a", json!({ "path": "/p/runtime", "kind": "dev" })), []);
        assert_eq!(found("cli", json!({ "path": "/p/runtime", "kind": null })), []);
        assert_eq!(found("xtask", json!({ "name": "clap", "kind": null })), []);
    }
}
