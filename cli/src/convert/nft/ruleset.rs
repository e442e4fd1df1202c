//! Chains, sets and rules by name.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a set has in common with no other: family, table and name.
type SetKey = (String, String, String);

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
    sets: BTreeMap<SetKey, Value>,
    /// Sets that change while packets flow, and what says so.
    changing: BTreeMap<SetKey, String>,
    /// Tables that are switched off, by family and name.
    dormant: BTreeSet<(String, String)>,
}

fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_default().to_owned()
}

/// Flags: a list of words, or one word.
fn flags(object: &Value) -> Vec<&str> {
    let list = object["flags"].as_array().map_or(core::slice::from_ref(&object["flags"]), Vec::as_slice);
    list.iter().filter_map(Value::as_str).collect()
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
                "table" => ruleset.table(object)?,
                "set" | "map" => ruleset.set(object),
                "rule" => ruleset.rule(object)?,
                // Counters, limits and the like count where rules name them.
                _ => {}
            }
        }
        Ok(ruleset)
    }

    /// A table is in the names of all that is in it; but its chains may be switched off.
    fn table(&mut self, object: &Value) -> Result<(), String> {
        let (family, name) = (text(object, "family"), text(object, "name"));
        for flag in flags(object) {
            match flag {
                "dormant" => {
                    self.dormant.insert((family.clone(), name.clone()));
                }
                "owner" | "persist" => {}
                // nft 1.0.6 has some other text in the place of each flag's name.
                other => {
                    return Err(format!(
                        "table {family} {name}: its flags are {other:?}, as nft 1.0 writes \"dormant\", or another flag. If `nft list ruleset` \
                         has it dormant, its chains see no packet: take it out (`nft delete table {family} {name}`). If not, take the flags out of the file"
                    ));
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, object: &Value) {
        let key = (text(object, "family"), text(object, "table"), text(object, "name"));
        if let Some(flag) = flags(object).into_iter().find(|flag| ["dynamic", "timeout"].contains(flag)) {
            self.changing.insert(key.clone(), format!("its flags have {flag}"));
        }
        self.sets.insert(key, object["elem"].clone());
    }

    fn rule(&mut self, object: &Value) -> Result<(), String> {
        let (family, table, name) = (text(object, "family"), text(object, "table"), text(object, "chain"));
        let handle = object["handle"].as_u64().unwrap_or_default();
        let expr = object["expr"].as_array().cloned().unwrap_or_default();
        // nft 1.0.6 does not write the flag `dynamic`; the rules that add to a set say it.
        for (kind, what) in expr.iter().filter_map(Value::as_object).flatten() {
            if let Some(set) = what[kind].as_str().filter(|_| ["set", "map"].contains(&kind.as_str())) {
                let key = (family.clone(), table.clone(), set.trim_start_matches('@').to_owned());
                self.changing.insert(key, format!("the rule with handle {handle} in chain {name} changes it"));
            }
        }
        let is_it = |chain: &&mut Chain| chain.family == family && chain.table == table && chain.name == name;
        let chain =
            self.chains.iter_mut().find(is_it).ok_or(format!("there is no chain {name} for one of its rules"))?;
        chain.rules.push(Line { handle, expr, comment: object["comment"].as_str().map(str::to_owned) });
        Ok(())
    }

    /// The chain that forwarded packets go through.
    pub(super) fn forward(&self) -> Result<&Chain, String> {
        let all =
            self.chains.iter().filter(|chain| chain.hook.as_deref() == Some("forward") && !self.is_dormant(chain));
        let all: Vec<_> =
            all.filter(|chain| !chain.rules.is_empty() || chain.policy.as_deref() == Some("drop")).collect();
        match all.as_slice() {
            [one] if !matches!(one.family.as_str(), "ip" | "ip6" | "inet" | "bridge") => {
                Err(format!("chain {}: tables of the family {} have no counterpart", one.name, one.family))
            }
            [one] => Ok(one),
            [] => {
                let but = if self.dormant.is_empty() { "" } else { ", in a table that is not dormant" };
                Err(format!("there is no chain with the hook forward that has rules, or drops{but}"))
            }
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

    /// The elements of a set of the same table, which is a `kind` of it.
    pub(super) fn elements(&self, of: &Chain, kind: &str, name: &str) -> Result<Vec<Value>, String> {
        let key = (of.family.clone(), of.table.clone(), name.to_owned());
        if let Some(why) = self.changing.get(&key) {
            return Err(format!(
                "the {kind} {name} changes while packets flow ({why}), and rules of the module do not"
            ));
        }
        let elements = self.sets.get(&key).ok_or_else(|| format!("there is no {kind} {name}"))?;
        Ok(elements.as_array().cloned().unwrap_or_default())
    }

    fn is_dormant(&self, chain: &Chain) -> bool {
        self.dormant.contains(&(chain.family.clone(), chain.table.clone()))
    }

    /// What is not converted, chain by chain.
    pub(super) fn left_out(&self) -> Vec<String> {
        let dormant = self
            .dormant
            .iter()
            .map(|(family, name)| format!("table {family} {name} is dormant: its chains are left out"));
        let others = self.chains.iter().filter(|chain| !chain.rules.is_empty() && !self.is_dormant(chain));
        let others = others.filter_map(|chain| {
            let hook = chain.hook.as_deref().filter(|hook| *hook != "forward")?;
            let what =
                if chain.kind.as_deref() == Some("nat") { "addresses stay as they are" } else { "it is left out" };
            Some(format!("chain {} {} is at the hook {hook}: {what}", chain.table, chain.name))
        });
        dormant.chain(others).collect()
    }
}
