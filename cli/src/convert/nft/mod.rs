//! Rule sets of nftables, as `nft -j list ruleset` writes them, for the module `firewall`.
//!
//! What is read is the chain that forwarded packets go through: `ruleset.rs` finds it, `matches.rs` reads what a rule is met by into
//! `fields.rs`, `flatten.rs` puts chains that are jumped to in place of the jumps, `statements.rs` reads what a rule does, and `written.rs`
//! writes what comes out. What has no counterpart is refused with the handle of its rule and its chain.

mod address;
mod fields;
mod flatten;
mod matches;
mod names;
mod ruleset;
mod statements;
mod written;

use fields::Fields;
use ruleset::Ruleset;
use statements::Deed;

/// A rule of the module.
#[derive(Debug)]
struct Rule {
    /// Which rule it comes from, for the reader.
    comment: String,
    fields: Fields,
    deed: Deed,
}

/// What came of a rule set.
#[derive(Debug)]
pub(super) struct Converted {
    /// The module's part of a configuration.
    pub(super) text: String,
    /// What is not as it was.
    pub(super) told: Vec<String>,
}

/// Converts a rule set; an error says which rule has no counterpart.
pub(super) fn convert(json: &str) -> Result<Converted, String> {
    let ruleset = Ruleset::read(json)?;
    let mut told = ruleset.left_out();
    let chain = ruleset.forward()?;
    let rules = flatten::rules(&ruleset, chain, &mut told)?;
    Ok(Converted { text: written::text(chain, &rules, &mut told), told })
}

#[cfg(test)]
mod test;
