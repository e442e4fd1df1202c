//! Scapy, in the virtual environment that `./x setup` makes.

use serde_json::Value;
use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A header of ours as scapy reads it.
pub struct Layer {
    pub name: String,
    pub start: usize,
    /// It is an option of the header before it, which dissecting leaves alone.
    pub option: bool,
    /// Fields and their values in hex.
    pub fields: Vec<(String, String)>,
}

/// The Python that has scapy.
fn python() -> PathBuf {
    if let Some(python) = env::var_os("PERIGEE_PYTHON") {
        return python.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    [target, root.join("target")]
        .map(|target| target.join("venv/bin/python3"))
        .into_iter()
        .find(|p| p.exists())
        .expect("there is no Python with scapy: `./x setup` makes target/venv, or PERIGEE_PYTHON says where one is")
}

/// What a task of tests/scapy/packets.py prints, line by line.
pub fn run(arguments: &[&str], input: &str) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scapy/packets.py");
    let mut command = Command::new(python());
    command.arg("-B").arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", python().display()));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "packets.py failed (is scapy there? ./x setup installs it):\n{error}");
    written.unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The `layers` of a line.
pub fn layers(line: &Value) -> Vec<Layer> {
    let layer = |value: &Value| Layer {
        name: value["name"].as_str().unwrap().to_owned(),
        start: usize::try_from(value["start"].as_u64().unwrap()).unwrap(),
        option: value["option"].as_bool().unwrap(),
        fields: pairs(&value["fields"]),
    };
    line["layers"].as_array().unwrap().iter().map(layer).collect()
}

/// An object's members that are texts.
pub fn pairs(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    object.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}
