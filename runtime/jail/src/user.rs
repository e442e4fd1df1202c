//! The user that a process becomes which was started as root.

use perigee_config::user::{known, named};
use std::fmt::{Display, Formatter, Result as Written};
use std::fs;
use std::path::Path;

/// Who "nobody" is where /etc/passwd does not say it.
const NOBODY: u32 = 65_534;

/// Whom a process becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// It stays who it is: it was not started as root.
    Stays(u32),
    /// It stays root of a user namespace that knows no other user; outside of it that is somebody without rights.
    OnlyOne,
    /// This user and group.
    Other { user: u32, group: u32 },
}

impl User {
    /// By the configuration's `user`: a name in /etc/passwd, or `UID:GID`. `root` is where /etc and /proc are looked for.
    pub(super) fn of(wanted: Option<&str>, root: &Path) -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let other = match wanted {
            Some(text) => known(text, &read("etc/passwd"))
                .ok_or_else(|| format!("user {text:?} is no name in /etc/passwd and no UID:GID"))?,
            None => named("nobody", &read("etc/passwd")).unwrap_or((NOBODY, NOBODY)),
        };
        let status = read("proc/self/status");
        let me = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1)?.parse().ok());
        Ok(match me {
            Some(me) if me != 0 => Self::Stays(me),
            _ if !maps(&read("proc/self/uid_map"), other.0) || !maps(&read("proc/self/gid_map"), other.1) => {
                Self::OnlyOne
            }
            _ => Self::Other { user: other.0, group: other.1 },
        })
    }
}

impl Display for User {
    fn fmt(&self, f: &mut Formatter<'_>) -> Written {
        match self {
            Self::Stays(user) => write!(f, "user {user} as before"),
            Self::OnlyOne => write!(f, "root of a user namespace that has no other user"),
            Self::Other { user, group } => write!(f, "user {user}, group {group}"),
        }
    }
}

/// Whether a namespace's map, in lines of first, first outside, and count, has a number.
fn maps(text: &str, number: u32) -> bool {
    let number = u64::from(number);
    text.lines().any(|line| {
        let mut fields = line.split_whitespace().filter_map(|field| field.parse::<u64>().ok());
        let (Some(first), Some(_), Some(count)) = (fields.next(), fields.next(), fields.next()) else { return false };
        (first..first.saturating_add(count)).contains(&number)
    })
}

#[cfg(test)]
mod test {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65533::/:/bin/false\n";

    fn of(wanted: Option<&str>, uid: u32, map: &str) -> Result<User, String> {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::write(root.path().join("etc/passwd"), PASSWD).unwrap();
        fs::write(root.path().join("proc/self/status"), format!("Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"))
            .unwrap();
        fs::write(root.path().join("proc/self/uid_map"), map).unwrap();
        fs::write(root.path().join("proc/self/gid_map"), map).unwrap();
        User::of(wanted, root.path())
    }

    #[test]
    fn root_becomes_somebody() {
        let all = "0 0 4294967295\n";
        assert_eq!(of(None, 0, all), Ok(User::Other { user: 65_534, group: 65_533 }));
        assert_eq!(of(Some("7:8"), 0, all), Ok(User::Other { user: 7, group: 8 }));
        assert_eq!(of(None, 1_000, all), Ok(User::Stays(1_000)));
        assert!(of(Some("somebody"), 0, all).unwrap_err().contains("somebody"));
    }

    #[test]
    fn a_namespace_of_one_user_has_no_other() {
        assert_eq!(of(None, 0, "         0       1000          1\n"), Ok(User::OnlyOne));
        assert_eq!(of(None, 0, ""), Ok(User::OnlyOne));
    }
}
