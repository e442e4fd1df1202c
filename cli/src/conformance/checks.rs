//! The cases of a suite, run.

use super::compare;
use super::steps::{Session, said};
use super::suite::{Case, Check};
use perigee_runtime::config::secret::Secrets;
use perigee_runtime::load::Loader;
use perigee_runtime::trial::{Failure, Role, Setting, Subject, Trial};

/// Runs one case. `Err` says what is wrong.
pub(super) fn run(
    (subject, loader): (&Subject, &Loader),
    config: &[u8],
    secrets: &Secrets,
    case: &Case,
) -> Result<(), String> {
    let setting = Setting {
        config: case.config.as_ref().map_or_else(|| config.to_vec(), |config| config.clone().into_bytes()),
        secrets: secrets.clone(),
        seed: case.seed,
        room_len: case.room_len,
        ..Setting::default()
    };
    let start = || Trial::start(subject, &setting);
    match case.check {
        Check::Numbers => numbers(subject),
        Check::EmptyConfig | Check::UnknownConfig => start().map(|_| ()).or_else(|failure| in_words(&failure)),
        Check::Mailbox => mailbox(subject, &setting, case),
        Check::Prefill => each_role(subject, |role| session(subject, &setting, role).map(|_| ())),
        Check::Steps => match start() {
            Err(failure @ Failure::Refused(_)) if case.may_refuse => in_words(&failure),
            _ => each_role(subject, |role| session(subject, &setting, role)?.run(&case.step)),
        },
        Check::SameSeed => each_role(subject, |role| {
            let sessions = [session(subject, &setting, role)?, session(subject, &setting, role)?];
            same(sessions, case).map_err(|text| format!("two instances with seed {} differ: {text}", case.seed))
        }),
        Check::Fields if !subject.has("fields") => Ok(()),
        Check::Fields => each_role(subject, |role| {
            let compiled = Trial::start_compiled(subject, &setting, loader).map_err(|failure| said(&failure))?;
            let sessions = [session(subject, &setting, role)?, Session::new(compiled, role)?];
            same(sessions, case).map_err(|text| format!("the module and machine code of its plan differ: {text}"))
        }),
        Check::Memory => each_role(subject, |role| memory(session(subject, &setting, role)?, case)),
    }
}

/// A module with both callbacks is checked in both roles, an instance for each.
fn each_role(subject: &Subject, mut check: impl FnMut(Role) -> Result<(), String>) -> Result<(), String> {
    for (role, callback) in [(Role::Process, "process"), (Role::Generate, "generate")] {
        if subject.has(callback) {
            check(role).map_err(|text| format!("{callback}: {text}"))?;
        }
    }
    Ok(())
}

fn session(subject: &Subject, setting: &Setting, role: Role) -> Result<Session, String> {
    let trial = Trial::start(subject, setting).map_err(|failure| match failure {
        Failure::Refused(_) => format!("does not start: {}; give it a configuration with --config", said(&failure)),
        _ => format!("does not start: {}", said(&failure)),
    })?;
    Session::new(trial, role)
}

/// What loading has not checked yet.
fn numbers(subject: &Subject) -> Result<(), String> {
    let info = subject.info();
    if info.window_usable < 4 << 20 {
        let usable = info.window_usable;
        return Err(format!("its window takes {usable} bytes of packets: a run with one port needs 4 MiB and more"));
    }
    let keeps_state = ["save", "restore"].map(|callback| subject.has(callback));
    match keeps_state {
        [true, false] => return Err("exports \"save\", but no \"restore\"".to_owned()),
        [false, true] => return Err("exports \"restore\", but no \"save\"".to_owned()),
        _ => {}
    }
    let asked = ["init", "message", "save", "restore"].into_iter().find(|callback| subject.has(callback));
    match asked {
        Some(callback) if info.numbers.mailbox_len == 0 => Err(format!("exports \"{callback}\", but has no mailbox")),
        _ => Ok(()),
    }
}

/// A refusal is right where it says why.
fn in_words(failure: &Failure) -> Result<(), String> {
    match failure {
        Failure::Refused(text) if text.split_once("refused:").is_none_or(|(_, why)| has_words(why)) => Ok(()),
        Failure::Refused(_) => Err("refuses without a word in its mailbox".to_owned()),
        Failure::Trap(_) | Failure::Broken(_) => Err(format!("expected an answer, came {}", said(failure))),
    }
}

fn has_words(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Two instances do the same.
fn same(sessions: [Session; 2], case: &Case) -> Result<(), String> {
    let mut sessions = sessions.map(Session::keep_record);
    for session in &mut sessions {
        session.run(&case.step)?;
    }
    let [first, second] = &sessions;
    for (call, (a, b)) in first.record().iter().zip(second.record()).enumerate() {
        for (kind, a, b) in [("packet", &a.packets, &b.packets), ("output", &a.listed, &b.listed)] {
            compare::equal(&format!("call {call}: number of {kind}s"), &a.len(), &b.len())?;
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                let differs = |text: String| format!("call {call}: {kind} {i}: {text}");
                compare::equal("verdict", &a.fate.to_string(), &b.fate.to_string()).map_err(differs)?;
                compare::bytes(&a.bytes, &b.bytes).map_err(differs)?;
                compare::equal("mark", &a.mark, &b.mark).map_err(differs)?;
                compare::equal("tx flags", &a.tx_flags, &b.tx_flags).map_err(differs)?;
            }
        }
    }
    let counters = |session: &Session| format!("{:?}", session.trial.counters());
    compare::equal("counters", &counters(first), &counters(second))
}

/// Messages are answered or refused, and a state that was saved can be restored.
fn mailbox(subject: &Subject, setting: &Setting, case: &Case) -> Result<(), String> {
    let role = if subject.has("process") { Role::Process } else { Role::Generate };
    let mut first = session(subject, setting, role)?;
    first.run(&case.step)?;
    if subject.has("message") {
        let longest = vec![0x20; subject.info().numbers.mailbox_len as usize];
        for message in [&b""[..], b"{}", b"\xff\xfe\x00", &longest] {
            if let Err(failure) = first.trial.message(message) {
                in_words(&failure).map_err(|text| format!("message of {} bytes: {text}", message.len()))?;
            }
        }
    }
    if subject.has("save") && subject.has("restore") {
        let state = match first.trial.save() {
            Ok(state) => state,
            Err(failure) => return in_words(&failure).map_err(|text| format!("save: {text}")),
        };
        let mut second = session(subject, setting, role)?;
        second.trial.restore(&state).map_err(|failure| format!("its own state: {}", said(&failure)))?;
        second.run(&case.step).map_err(|text| format!("after restore: {text}"))?;
        if let Err(failure) = second.trial.restore(&[0xff; 7]) {
            in_words(&failure).map_err(|text| format!("restore of what is no state: {text}"))?;
        }
    }
    first.run(&case.step).map_err(|text| format!("after messages: {text}"))
}

/// The first run of the steps may take what memory it needs; the second needs no more.
fn memory(mut session: Session, case: &Case) -> Result<(), String> {
    session.run(&case.step)?;
    let (_, before) = session.trial.memory();
    session.run(&case.step)?;
    let (_, after) = session.trial.memory();
    if after == before { Ok(()) } else { Err(format!("its memory grew from {before} to {after} bytes")) }
}
