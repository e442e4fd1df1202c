//! Users of this machine, by name and number.
#![allow(unsafe_code, reason = "the standard library has no call for it")]

/// The user that this process acts as.
pub fn effective_user() -> u32 {
    // SAFETY:
    // - takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Whether `[run] user` names somebody.
pub fn is_user(text: &str) -> bool {
    known(text, &std::fs::read_to_string("/etc/passwd").unwrap_or_default()).is_some()
}

/// A user by a name or by numbers.
pub fn known(text: &str, passwd: &str) -> Option<(u32, u32)> {
    numbers(text).or_else(|| named(text, passwd))
}

fn numbers(text: &str) -> Option<(u32, u32)> {
    let (user, group) = text.split_once(':')?;
    Some((user.parse().ok()?, group.parse().ok()?))
}

/// A user's numbers by the text of /etc/passwd.
pub fn named(name: &str, passwd: &str) -> Option<(u32, u32)> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
