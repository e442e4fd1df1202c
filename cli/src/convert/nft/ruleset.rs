//! Chains, sets and rules by name.

use super::names::shown;
use serde_json::Value;
use std::collections::BTreeMap;

/// A chain of one table.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) family: String,
    /// The hook that a base chain is at, its type and its policy.
    pub(super) hook: Option<String>,
    kind: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) rules: Vec<Line>,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) handle: u64,
    pub(super) expr: Vec<Value>,
    pub(super) comment: Option<String>,
}

/// A rule set.
#[derive(Debug, Default)]
pub(super) struct Ruleset {
    chains: Vec<Chain>,
    /// Elements by family, table and name.
    sets: BTreeMap<(String, String, String), Value>,
}

fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_default().to_owned()
}

impl Ruleset {
    /// Reads what `nft -j list ruleset` writes.
    pub(super) fn read(json: &str) -> Result<Self, String> {
        let root: Value = serde_json::from_str(json).map_err(|error| format!("this is no JSON: {error}"))?;
        let items =
            root["nftables"].as_array().ok_or("there is no list \"nftables\": write it with `nft -j list ruleset`")?;
        let mut ruleset = Self::default();
        for (kind, object) in items.iter().filter_map(Value::as_object).flatten() {
            match kind.as_str() {
                "chain" => ruleset.chains.push(Chain {
                    table: text(object, "table"),
                    name: text(object, "name"),
                    family: text(object, "family"),
                    hook: object["hook"].as_str().map(str::to_owned),
                    kind: object["type"].as_str().map(str::to_owned),
                    policy: object["policy"].as_str().map(str::to_owned),
                    rules: Vec::new(),
                }),
                "set" | "map" => ruleset.set(object)?,
                "rule" => ruleset.rule(object)?,
                // Tables are in the names of all else; counters, limits and the like count where rules name them.
                _ => {}
            }
        }
        Ok(ruleset)
    }

    fn set(&mut self, object: &Value) -> Result<(), String> {
        let name = text(object, "name");
        let flags = object["flags"].as_array().cloned().unwrap_or_default();
        if let Some(flag) = flags.iter().find(|flag| *flag == "dynamic" || *flag == "timeout") {
            return Err(format!(
                "set {name}: it changes while packets flow ({}), and rules of the module do not",
                shown(flag)
            ));
        }
        let key = (text(object, "family"), text(object, "table"), name);
        self.sets.insert(key, object["elem"].clone());
        Ok(())
    }

    fn rule(&mut self, object: &Value) -> Result<(), String> {
        let (family, table, name) = (text(object, "family"), text(object, "table"), text(object, "chain"));
        let is_it = |chain: &&mut Chain| chain.family == family && chain.table == table && chain.name == name;
        let chain =
            self.chains.iter_mut().find(is_it).ok_or(format!("there is no chain {name} for one of its rules"))?;
        chain.rules.push(Line {
            handle: object["handle"].as_u64().unwrap_or_default(),
            expr: object["expr"].as_array().cloned().unwrap_or_default(),
            comment: object["comment"].as_str().map(str::to_owned),
        });
        Ok(())
    }

    /// The chain that forwarded packets go through.
    pub(super) fn forward(&self) -> Result<&Chain, String> {
        let all = self.chains.iter().filter(|chain| chain.hook.as_deref() == Some("forward"));
        let all: Vec<_> =
            all.filter(|chain| !chain.rules.is_empty() || chain.policy.as_deref() == Some("drop")).collect();
        match all.as_slice() {
            [one] if !matches!(one.family.as_str(), "ip" | "ip6" | "inet" | "bridge") => {
                Err(format!("chain {}: tables of the family {} have no counterpart", one.name, one.family))
            }
            [one] => Ok(one),
            [] => Err("there is no chain with the hook forward that has rules, or drops".to_owned()),
            [one, other, ..] => Err(format!(
                "chains {} {} and {} {} are both at the hook forward: what one accepts goes through the other, put them into one",
                one.table, one.name, other.table, other.name
            )),
        }
    }

    /// A chain of the same table.
    pub(super) fn chain(&self, of: &Chain, name: &str) -> Option<&Chain> {
        let is_it = |chain: &&Chain| chain.family == of.family && chain.table == of.table && chain.name == name;
        self.chains.iter().find(is_it)
    }

    /// The elements of a set of the same table.
    pub(super) fn elements(&self, of: &Chain, name: &str) -> Option<Vec<Value>> {
        let key = (of.family.clone(), of.table.clone(), name.to_owned());
        let elements = self.sets.get(&key)?;
        Some(elements.as_array().cloned().unwrap_or_default())
    }

    /// What is not converted, chain by chain.
    pub(super) fn left_out(&self) -> Vec<String> {
        let others = self.chains.iter().filter(|chain| !chain.rules.is_empty());
        let others = others.filter_map(|chain| {
            let hook = chain.hook.as_deref().filter(|hook| *hook != "forward")?;
            let what =
                if chain.kind.as_deref() == Some("nat") { "addresses stay as they are" } else { "it is left out" };
            Some(format!("chain {} {} is at the hook {hook}: {what}", chain.table, chain.name))
        });
        others.collect()
    }
}
