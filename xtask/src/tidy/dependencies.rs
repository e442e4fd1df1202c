//! Dependencies between our own crates point one way (docs/architecture.md): a module never sees the runtime, the runtime
//! never sees the guest SDK, and these tools see neither.

use super::Finding;
use crate::modules;
use serde_json::Value;
use std::path::Path;

/// Where a crate lies, and which of our crates it may depend on. Crates elsewhere (cli, examples, benches) are free. The runtime's
/// are floors, from the ground: what is told and what is asked, then what knows DPDK beside what knows WebAssembly, then the data
/// path, which knows both.
#[rustfmt::skip]
const RULES: [(&str, &[&str]); 27] = [
    ("abi", &[]),
    ("dpdk-sys", &[]),
    ("xtask", &[]),
    ("guest-sdk", &["abi", "guest-sdk/derive"]),
    ("guest-sdk/derive", &[]),
    ("modules/", &["abi", "guest-sdk", "guest-sdk/stamp-wire"]),
    ("guest-sdk/stamp-wire", &["abi", "guest-sdk"]),
    ("runtime/report", &["abi"]),
    ("runtime/core", &["abi", REPORT]),
    ("runtime/machine", &[]),
    ("runtime/pcap", &["abi", CORE]),
    ("runtime/record", &[]),
    ("runtime/profile", &[REPORT, CORE]),
    ("runtime/measure", &[REPORT, CORE]),
    ("runtime/config", &["abi", REPORT, CORE, MACHINE, PCAP]),
    ("runtime/pace", &[CORE, CONFIG]),
    ("runtime/jail", &[REPORT, CONFIG]),
    ("runtime/dpdk", &["abi", "dpdk-sys", REPORT, CORE, MACHINE, PCAP, CONFIG, JAIL]),
    ("runtime/wire", &["abi", REPORT, CORE, CONFIG, "runtime/dpdk"]),
    ("runtime/replay", &["abi", REPORT, CORE, PCAP, CONFIG, "runtime/dpdk", "runtime/wire"]),
    ("runtime/wasm", &["abi", REPORT, CORE, CONFIG, JAIL, PROFILE]),
    ("runtime/load", &["abi", REPORT, CORE, CONFIG, WASM]),
    ("runtime/trial", &["abi", REPORT, CORE, CONFIG, WASM, "runtime/load"]),
    ("runtime/evidence", &["abi", REPORT, CORE, CONFIG, JAIL, WASM, "runtime/load"]),
    ("runtime/datapath", &["abi", "dpdk-sys", REPORT, CORE, MACHINE, PCAP, CONFIG, PACE, "runtime/dpdk", WASM, "runtime/evidence", "runtime/wire", "runtime/replay", RECORD, MEASURE, PROFILE]),
    ("runtime", &["abi", "dpdk-sys", REPORT, CORE, MACHINE, PCAP, CONFIG, PACE, JAIL, "runtime/dpdk", WASM, "runtime/load", "runtime/trial",
        "runtime/evidence", "runtime/datapath", "runtime/wire", "runtime/replay", RECORD, MEASURE, PROFILE]),
    ("runtime/control", &["abi", "runtime", REPORT, CORE, CONFIG, JAIL, WASM, "runtime/load"]),
];

const REPORT: &str = "runtime/report";
const CORE: &str = "runtime/core";
const MEASURE: &str = "runtime/measure";
const MACHINE: &str = "runtime/machine";
const PCAP: &str = "runtime/pcap";
const PROFILE: &str = "runtime/profile";
const RECORD: &str = "runtime/record";
const CONFIG: &str = "runtime/config";
const PACE: &str = "runtime/pace";
const JAIL: &str = "runtime/jail";
const WASM: &str = "runtime/wasm";

/// Crates that are built and tested where there is no DPDK: their tests have none either.
const WITHOUT_DPDK: [&str; 12] =
    [REPORT, CORE, MEASURE, MACHINE, PCAP, RECORD, PROFILE, CONFIG, PACE, "runtime/trial", "runtime/load", WASM];
const OF_DPDK: [&str; 5] = ["dpdk-sys", "runtime/dpdk", "runtime/datapath", "runtime/wire", "runtime/replay"];

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
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies {
            let Some(on) = inside(&dependency["path"]) else { continue };
            // Tests may look across: they are in nobody's binary.
            let is_allowed = if dependency["kind"] == "dev" {
                !WITHOUT_DPDK.contains(&folder) || !OF_DPDK.contains(&on.as_str())
            } else {
                allowed.contains(&on.as_str())
            };
            if !is_allowed {
                findings.push(Finding::Error(format!("{folder} must not depend on {on}")));
            }
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
    fn no_floor_knows_a_higher_one_and_some_are_tested_without_dpdk() {
        for (folder, on, kind) in
            [("wasm", "runtime/dpdk", "build"), ("report", "runtime/core", "build"), ("trial", "runtime/dpdk", "dev")]
        {
            let folder = format!("runtime/{folder}");
            let wrong = found(&folder, json!({ "path": format!("/p/{on}"), "kind": kind }));
            assert_eq!(wrong, [Finding::Error(format!("{folder} must not depend on {on}"))]);
        }
    }

    #[test]
    fn what_points_the_right_way_passes() {
        assert_eq!(found("modules/a", json!({ "path": "/p/guest-sdk", "kind": null })), []);
        assert_eq!(found("modules/a", json!({ "path": "/p/runtime", "kind": "dev" })), []);
        assert_eq!(found("cli", json!({ "path": "/p/runtime", "kind": null })), []);
        assert_eq!(found("runtime/wasm", json!({ "path": "/p/runtime/core", "kind": null })), []);
        assert_eq!(found("runtime/jail", json!({ "path": "/p/runtime/dpdk", "kind": "dev" })), []);
        assert_eq!(found("xtask", json!({ "name": "clap", "kind": null })), []);
    }
}
