//! One list of rules: chains that are jumped to stand in place of the jumps, with what the jumps are met by.

use super::Rule;
use super::address::Family;
use super::fields::Fields;
use super::names::{place, refused};
use super::ruleset::{Chain, Line, Ruleset};
use super::statements::{Deed, End, Read, Verdict, read};

/// nft's own limit of jumps in jumps.
const DEPTH: usize = 16;
/// What the module takes.
const RULE_MAX: usize = 10_000;

/// All rules that a forwarded packet is asked for.
pub(super) fn rules(ruleset: &Ruleset, chain: &Chain, told: &mut Vec<String>) -> Result<Vec<Rule>, String> {
    let policy = if chain.policy.as_deref() == Some("drop") { Verdict::Drop } else { Verdict::Accept };
    let mut flattener = Flattener { ruleset, policy, rules: Vec::new(), told };
    // A table of one family does not see the other.
    let family = match chain.family.as_str() {
        "ip" => Some(Family::V4),
        "ip6" => Some(Family::V6),
        _ => None,
    };
    flattener.chain(chain, &Fields { family, ..Fields::default() }, 0)?;
    if flattener.rules.len() > RULE_MAX {
        return Err(format!("{} rules, and the module takes {RULE_MAX}", flattener.rules.len()));
    }
    Ok(flattener.rules)
}

struct Flattener<'a> {
    ruleset: &'a Ruleset,
    policy: Verdict,
    rules: Vec<Rule>,
    told: &'a mut Vec<String>,
}

/// Where a rule stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    chain: &'a Chain,
    line: &'a Line,
    depth: usize,
    /// The chain has no rules behind it.
    is_last: bool,
}

impl Flattener<'_> {
    fn chain(&mut self, chain: &Chain, around: &Fields, depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err(format!("chain {} {}: more than {DEPTH} jumps in jumps", chain.table, chain.name));
        }
        for (index, line) in chain.rules.iter().enumerate() {
            let place = Place { chain, line, depth, is_last: index + 1 == chain.rules.len() };
            let read = read(self.ruleset, chain, line, self.told).map_err(|why| refused(chain, line, &why))?;
            if self
                .line(place, around, &read)
                .map_err(|why| if why.starts_with("chain ") { why } else { refused(chain, line, &why) })?
            {
                break;
            }
        }
        Ok(())
    }

    /// Says whether no packet comes to the rules behind it in its chain.
    fn line(&mut self, at: Place<'_>, around: &Fields, read: &Read) -> Result<bool, String> {
        let mut is_over = false;
        for fields in read.met_by.iter().filter_map(|fields| around.and(fields).ok()) {
            let is_always = fields == *around;
            match &read.end {
                End::Map(elements) => {
                    self.deed_only(at, &fields, &read.deed)?;
                    for (element, verdict, end) in elements {
                        let Ok(fields) = fields.and(element) else { continue };
                        let deed = Deed { verdict: *verdict, ..Deed::default() };
                        self.end(at, &fields, deed, end, false)?;
                    }
                }
                end => is_over |= self.end(at, &fields, read.deed.clone(), end, is_always)?,
            }
        }
        Ok(is_over)
    }

    fn end(&mut self, at: Place<'_>, fields: &Fields, deed: Deed, end: &End, is_always: bool) -> Result<bool, String> {
        match end {
            End::Here => {
                self.push(at, fields, deed);
                Ok(false)
            }
            End::Jump(name) => self.jump(at, fields, &deed, name).map(|()| false),
            // Behind the last rule there is nothing to come back to.
            End::Goto(name) if at.is_last => self.jump(at, fields, &deed, name).map(|()| false),
            End::Goto(name) if at.depth == 0 => {
                self.jump(at, fields, &deed, name)?;
                self.push(at, fields, Deed { verdict: self.policy, ..Deed::default() });
                Ok(false)
            }
            End::Return if at.depth == 0 => {
                self.push(at, fields, Deed { verdict: self.policy, ..deed });
                Ok(false)
            }
            End::Return if at.is_last || is_always => self.deed_only(at, fields, &deed).map(|()| true),
            End::Goto(_) | End::Return => {
                Err("it leaves a chain that was jumped to before its end: put what follows into rules of its own"
                    .to_owned())
            }
            End::Map(_) => Err("a map in a map".to_owned()),
        }
    }

    fn jump(&mut self, at: Place<'_>, fields: &Fields, deed: &Deed, name: &str) -> Result<(), String> {
        self.deed_only(at, fields, deed)?;
        let target = self.ruleset.chain(at.chain, name).ok_or_else(|| format!("there is no chain {name}"))?;
        self.chain(target, fields, at.depth + 1)
    }

    /// A rule that does something and decides nothing.
    fn deed_only(&mut self, at: Place<'_>, fields: &Fields, deed: &Deed) -> Result<(), String> {
        if deed.rate.is_some() {
            return Err("a limit before a jump, a return or a map".to_owned());
        }
        self.push(at, fields, Deed { verdict: Verdict::Next, ..deed.clone() });
        Ok(())
    }

    fn push(&mut self, at: Place<'_>, fields: &Fields, deed: Deed) {
        if deed == Deed::default()
            || (deed.verdict == Verdict::Next && deed == Deed { rate: deed.rate, ..Deed::default() })
        {
            return;
        }
        let comment = at.line.comment.as_ref().map(|comment| format!(": {comment}")).unwrap_or_default();
        let comment = format!("{}{}", place(at.chain, at.line), comment.replace(char::is_control, " "));
        let is_again = |rule: &Rule| rule.comment == comment && rule.deed.rate.is_some();
        if deed.rate.is_some() && self.rules.iter().any(is_again) {
            self.told.push(format!("{comment}: it stands in several places, and its limit counts in each by itself"));
        }
        self.rules.push(Rule { comment, fields: fields.clone(), deed });
    }
}
