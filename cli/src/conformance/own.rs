//! Suites of a user's own: files in the format of conformance/README.md. They are checked before they are run, so that a
//! mistake in one is told as such.

use super::suite::{Case, Check, Step, Suite};
use anyhow::{Context, Result, anyhow, ensure};
use perigee_runtime::text;
use perigee_runtime::trial::MAX_BATCH;
use std::collections::BTreeSet;
use std::fs;

/// Reads a suite from a file.
pub(super) fn read(file: &str) -> Result<Suite> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let suite: Suite = toml::from_str(&text).map_err(|e| anyhow!("{file}: {}", text::lines(&e.to_string())))?;
    ensure!(!suite.case.is_empty(), "{file}: no cases");
    let mut names = BTreeSet::new();
    for case in &suite.case {
        let place = || format!("{file}: case {:?}", case.name);
        ensure!(names.insert(case.name.as_str()), "{}: two cases have this name", place());
        check(case).with_context(place)?;
        // A generator would not be given any, and nothing of it would be compared.
        let has_packets = case.step.iter().any(|step| !step.packets.is_empty());
        ensure!(
            !has_packets || suite.needs.as_deref() == Some("process"),
            "{}: packets are for a suite that says needs = \"process\"",
            place()
        );
    }
    Ok(suite)
}

fn check(case: &Case) -> Result<()> {
    ensure!((64..=16_000).contains(&case.room_len), "room-len is {}: 64 to 16000", case.room_len);
    let has_steps = matches!(case.check, Check::Steps | Check::SameSeed | Check::Fields | Check::Memory);
    ensure!(has_steps != case.step.is_empty() || case.check == Check::Mailbox, "steps are missing, or have no use");
    case.step
        .iter()
        .enumerate()
        .try_for_each(|(i, step)| check_step(step, case.room_len.into()).with_context(|| format!("step {}", i + 1)))
}

fn check_step(step: &Step, room_len: usize) -> Result<()> {
    let most = step.sizes.iter().copied().max().unwrap_or(0).max(step.packets.len());
    ensure!(most <= MAX_BATCH, "a batch of {most} packets: {MAX_BATCH} at most");
    ensure!(
        !step.lengths.is_empty() && !step.ports.is_empty() && !step.rx.is_empty(),
        "lengths, ports and rx need an entry or more"
    );
    for (i, packet) in step.packets.iter().enumerate() {
        let len = packet.length.unwrap_or(0).max(packet.hex.0.len());
        ensure!(len <= room_len, "packet {i} has {len} bytes: room-len is {room_len}");
        let out = packet.out.as_ref().map_or(0, |out| out.0.len());
        ensure!(out <= len, "packet {i}: out has {out} bytes, the packet {len}");
        check_verdict(packet.verdict.as_deref(), false).with_context(|| format!("packet {i}"))?;
    }
    check_verdict(step.verdict.as_deref(), true)?;
    let longest = step.lengths.iter().copied().max().unwrap_or(0);
    ensure!(longest <= room_len, "lengths: {longest} bytes, where room-len is {room_len}");
    let shortest = step.lengths.iter().copied().min().unwrap_or(0);
    let furthest = step.order.iter().copied().max().filter(|_| !step.sizes.is_empty());
    ensure!(furthest.is_none_or(|at| at < shortest), "order names a byte that a packet of {shortest} bytes has not");
    Ok(())
}

/// What cannot come is not expected.
fn check_verdict(verdict: Option<&str>, may_go_back: bool) -> Result<()> {
    let number = |text: &str| text.parse::<u16>().is_ok();
    let is_known = |verdict: &str| match verdict.split_once(' ') {
        None => ["drop", "next", "hold", "listed"].contains(&verdict),
        Some(("tx", "back")) => may_go_back,
        Some((word, rest)) => ["tx", "ring"].contains(&word) && number(rest),
    };
    ensure!(verdict.is_none_or(is_known), "verdict {:?}: drop, next, tx N or ring N", verdict.unwrap_or_default());
    Ok(())
}

#[cfg(test)]
mod test {
    use super::*;

    fn checked(step: &str) -> Result<()> {
        let suite = format!("about = \"\"\n[[case]]\nname = \"c\"\nroom-len = 100\n[[case.step]]\n{step}\n");
        let suite: Suite = toml::from_str(&suite)?;
        check(&suite.case[0])
    }

    #[test]
    fn what_can_be_run_is_taken() {
        checked("sizes = [0, 256]\nlengths = [14, 100]\norder = [13]\nverdict = \"tx back\"").unwrap();
        checked("packets = [{ hex = \"0102\", length = 100, out = \"03\", verdict = \"ring 7\" }]").unwrap();
        checked("ticks = 1").unwrap();
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        for (step, text) in [
            ("sizes = [257]", "step 1: a batch of 257 packets: 256 at most"),
            ("sizes = [1]\nlengths = [101]", "step 1: lengths: 101 bytes, where room-len is 100"),
            ("sizes = [1]\nlengths = []", "step 1: lengths, ports and rx need an entry or more"),
            ("sizes = [1]\norder = [60]", "step 1: order names a byte that a packet of 60 bytes has not"),
            ("verdict = \"nxt\"", "step 1: verdict \"nxt\": drop, next, tx N or ring N"),
            ("packets = [{ hex = \"01\", length = 101 }]", "step 1: packet 0 has 101 bytes: room-len is 100"),
            ("packets = [{ hex = \"01\", out = \"0102\" }]", "step 1: packet 0: out has 2 bytes, the packet 1"),
        ] {
            assert_eq!(format!("{:#}", checked(step).unwrap_err()), text);
        }
    }
}
