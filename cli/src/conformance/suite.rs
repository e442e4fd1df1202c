//! The suites as they are written: conformance/README.md has the tables.

use super::own;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The suites by name.
const SUITES: [(&str, &str); 3] = [
    ("abi", include_str!("../../../conformance/abi.toml")),
    ("reflector", include_str!("../../../conformance/reflector.toml")),
    ("udp-gen", include_str!("../../../conformance/udp-gen.toml")),
];

/// Names of all suites.
pub(super) fn names() -> [&'static str; 3] {
    SUITES.map(|(name, _)| name)
}

/// A name that [`find`] takes: of a suite, or of a file with one.
pub(crate) fn parse_name(name: &str) -> Result<String> {
    let is_good = names().contains(&name) || is_file(name);
    ensure!(is_good, "no such suite; known: {}, or a file whose name ends with .toml", names().join(", "));
    Ok(name.to_owned())
}

fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "toml")
}

/// The suite of this name, or in this file.
pub(super) fn find(name: &str) -> Result<Suite> {
    if is_file(name) {
        return own::read(name);
    }
    let (_, text) = SUITES.iter().find(|(known, _)| *known == name).context("no such suite")?;
    toml::from_str(text).with_context(|| format!("conformance/{name}.toml"))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Suite {
    pub(super) about: String,
    pub(super) needs: Option<String>,
    pub(super) case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    #[serde(default)]
    pub(super) check: Check,
    pub(super) config: Option<String>,
    #[serde(default)]
    pub(super) may_refuse: bool,
    #[serde(default = "one")]
    pub(super) seed: u64,
    #[serde(default = "room_len")]
    pub(super) room_len: u16,
    #[serde(default)]
    pub(super) step: Vec<Step>,
}

/// What is done with a case's steps.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Check {
    /// They are run.
    #[default]
    Steps,
    /// The numbers that the module exports.
    Numbers,
    /// It starts without a configuration, or says in words why it does not.
    EmptyConfig,
    /// It starts with a configuration that it does not know, or says in words why it does not.
    UnknownConfig,
    /// It prefills its rooms.
    Prefill,
    /// Two instances with one seed do the same.
    SameSeed,
    /// Machine code of its plan does what it does.
    Fields,
    /// It answers messages and hands its state over.
    Mailbox,
    /// They are run twice, and its memory is no larger the second time.
    Memory,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Step {
    pub(super) packets: Vec<Given>,
    pub(super) sizes: Vec<usize>,
    pub(super) lengths: Vec<usize>,
    pub(super) ports: Vec<u16>,
    pub(super) rx: Vec<Vec<Fact>>,
    pub(super) times: usize,
    pub(super) ticks: usize,
    pub(super) drain: bool,
    pub(super) verdict: Option<String>,
    pub(super) order: Vec<usize>,
    pub(super) length: Option<usize>,
    pub(super) zeros_from: Option<usize>,
    pub(super) ipv4: bool,
    pub(super) heads: Vec<Hex>,
    pub(super) counters: BTreeMap<String, u64>,
}

impl Default for Step {
    fn default() -> Self {
        Self {
            packets: Vec::new(),
            sizes: Vec::new(),
            lengths: vec![60],
            ports: vec![0],
            rx: vec![Vec::new()],
            times: 1,
            ticks: 0,
            drain: false,
            verdict: None,
            order: Vec::new(),
            length: None,
            zeros_from: None,
            ipv4: false,
            heads: Vec::new(),
            counters: BTreeMap::new(),
        }
    }
}

/// A packet, and what is expected of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Given {
    pub(super) hex: Hex,
    pub(super) length: Option<usize>,
    #[serde(default)]
    pub(super) port: u16,
    #[serde(default)]
    pub(super) rx: Vec<Fact>,
    pub(super) verdict: Option<String>,
    pub(super) out: Option<Hex>,
}

/// What a port found out.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fact {
    IpGood,
    IpBad,
    L4Good,
    L4Bad,
    Vlan,
    Hash,
    Time,
}

/// Bytes, in hex.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(super) struct Hex(pub(super) Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        ensure!(text.is_ascii() && text.len().is_multiple_of(2), "{text:?} is not hex: two digits for each byte");
        let byte = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).with_context(|| format!("{text:?} is not hex"));
        Ok(Self((0..text.len()).step_by(2).map(byte).collect::<Result<_>>()?))
    }
}

fn one() -> u64 {
    1
}

fn room_len() -> u16 {
    2_048
}

#[cfg(test)]
mod test {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn all_suites_can_be_read_and_their_cases_have_names() {
        for name in names() {
            let suite = find(name).unwrap();
            assert!(!suite.about.is_empty());
            let names: BTreeSet<_> = suite.case.iter().map(|case| &case.name).collect();
            assert_eq!(names.len(), suite.case.len(), "{name}");
            for case in &suite.case {
                let has_steps =
                    !matches!(case.check, Check::Numbers | Check::EmptyConfig | Check::UnknownConfig | Check::Prefill);
                assert_eq!(has_steps, !case.step.is_empty(), "{name}: {}", case.name);
            }
        }
    }

    #[test]
    fn hex_is_two_digits_for_each_byte() {
        assert_eq!(Hex::try_from("00fF10".to_owned()).unwrap(), Hex(vec![0, 255, 16]));
        assert!(Hex::try_from("0".to_owned()).is_err());
        assert!(Hex::try_from("0g".to_owned()).is_err());
        assert!(Hex::try_from("é".to_owned()).is_err());
    }
}
