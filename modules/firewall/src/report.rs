//! What the operator is told: of the rules when they are loaded, of the state when asked.

use crate::Firewall;
use crate::classify::Classifier;
use crate::config::Compiled;
use core::fmt::Write as _;
use perigee_guest::{Buffer, Level, Refusal, Text};

/// Most rules of which it is told that they are never met.
const WARNINGS: usize = 16;

/// Says which rules are never met, because one before them is met by all that they are.
pub(crate) fn tell(compiled: &Compiled, classifier: &Classifier) {
    let patterns = &compiled.patterns;
    let mut covered = 0;
    let mut start = 0_u32;
    for (rule, number) in compiled.rules.iter().zip(1_u64..) {
        let mut covers = None;
        let is_covered = rule.end > start
            && (start..rule.end).all(|order| {
                let cover = classifier.cover(patterns, order).and_then(|at| patterns.get(at as usize));
                covers = cover.map(|pattern| pattern.rule).filter(|rule| ends_there(compiled, *rule));
                covers.is_some()
            });
        start = rule.end;
        let Some(by) = covers.filter(|_| is_covered) else { continue };
        covered += 1;
        if covered <= WARNINGS {
            let mut line = Text::<240>::from("rule ");
            line.push_number(number).push(" is never met: rule ").push_number(u64::from(by) + 1);
            line.push(" is met by all of its packets before");
            Level::Warn.log(line.as_str());
        }
    }
    if covered > WARNINGS {
        let mut line = Text::<240>::from("and ");
        line.push_number((covered - WARNINGS) as u64).push(" other rules are never met");
        Level::Warn.log(line.as_str());
    }
}

/// Whether no packet that meets this rule comes to those behind it.
fn ends_there(compiled: &Compiled, rule: u32) -> bool {
    let found = compiled.rules.get(rule as usize);
    found.is_some_and(|rule| rule.limit.is_none() && rule.action != crate::rule::Action::Next)
}

/// Answers a message.
pub(crate) fn answer(firewall: &mut Firewall, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let text = match request {
        b"connections" => {
            let census = firewall.tracker.as_mut().map(|tracker| tracker.census(firewall.now)).unwrap_or_default();
            let [half_open, closing, alive] = census;
            let mut text = Text::<240>::new();
            let _ = write!(text, "{{\"half_open\":{half_open},\"closing\":{closing},\"alive\":{alive}}}");
            text
        }
        b"rules" => {
            let size = firewall.classifier.size();
            let (rules, patterns) = (firewall.rules.len(), firewall.rule_of.len());
            let mut text = Text::<240>::new();
            let _ = write!(
                text,
                "{{\"rules\":{rules},\"patterns\":{patterns},\"groups\":{},\"entries\":{},\"probes\":{},\"bytes\":{}}}",
                size.groups,
                size.entries,
                size.probes,
                firewall.classifier.bytes()
            );
            text
        }
        _ => return Err(Refusal::new("known messages: connections, rules")),
    };
    reply.push(text.as_bytes())?;
    Ok(())
}
