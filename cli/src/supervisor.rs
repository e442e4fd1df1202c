//! What a supervisor is told that has set `NOTIFY_SOCKET`, by the protocol of sd_notify(3): that the run works, lives, takes over
//! a changed configuration, and ends. The socket is connected before the process enters its jail, which lets nobody connect
//! and lets the control thread write.

use crate::output;
use perigee_control::Observer;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// How long a message may wait for a supervisor that does not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to the supervisor, where there is one.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that the run lives.
    period: Option<Duration>,
}

impl Supervisor {
    /// Connects to the one that the environment names. Where that does not answer, the run goes on without: the variable may be
    /// left from another program's start.
    pub(crate) fn connect() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(address) = variable("NOTIFY_SOCKET") else { return Self::default() };
        match connect(&address) {
            Ok(socket) => {
                let period = period(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"), std::process::id());
                Self { socket: Some(socket), period }
            }
            Err(error) => {
                output::warning(&format!("NOTIFY_SOCKET {address}: {error}; the supervisor will not hear of this run"));
                Self::default()
            }
        }
    }

    /// Ports and lcores work.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The run is about to end.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::warn!("the supervisor was not told {message}: {error}");
        }
    }
}

impl Observer for Supervisor {
    fn applying(&self) {
        self.tell("RELOADING=1");
    }

    fn applied(&self) {
        self.ready();
    }
}

/// A path, or a name of the abstract kind with `@` in the place of its zero.
fn connect(address: &str) -> io::Result<UnixDatagram> {
    let to = match address.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(address)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&to)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Half the time after which the supervisor takes the process for dead, which is what sd_watchdog_enabled(3) recommends;
/// nothing where it does not look, or looks at another process.
fn period(microseconds: Option<String>, pid: Option<String>, own: u32) -> Option<Duration> {
    let is_meant = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let microseconds = microseconds.filter(|_| is_meant)?.parse().ok()?;
    Some(Duration::from_micros(microseconds) / 2).filter(|period| !period.is_zero())
}

/// When the next sign of life is due.
pub(crate) struct SignsOfLife<'a> {
    supervisor: &'a Supervisor,
    next: Instant,
}

impl<'a> SignsOfLife<'a> {
    /// The first is due at once.
    pub(crate) fn start(supervisor: &'a Supervisor) -> Self {
        Self { supervisor, next: Instant::now() }
    }

    /// Gives one where it is due, and `is_alive`.
    pub(crate) fn give(&mut self, is_alive: impl FnOnce() -> bool) {
        let Some(period) = self.supervisor.period else { return };
        let now = Instant::now();
        if now >= self.next && is_alive() {
            self.supervisor.tell("WATCHDOG=1");
            self.next = now + period;
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 64];
        socket.set_nonblocking(true).unwrap();
        let length = socket.recv(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn it_is_told_at_a_path_and_at_an_abstract_name() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notify");
        let name = format!("perigee-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (listens, address) in [
            (UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned()),
            (UnixDatagram::bind_addr(&abstract_name).unwrap(), format!("@{name}")),
        ] {
            let supervisor = Supervisor { socket: Some(connect(&address).unwrap()), period: None };
            supervisor.ready();
            supervisor.applying();
            supervisor.applied();
            supervisor.stopping();
            let told: Vec<_> = (0..4).map(|_| heard(&listens)).collect();
            assert_eq!(told, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"], "{address}");
        }
        assert!(connect(home.path().join("nobody").to_str().unwrap()).is_err());
    }

    #[test]
    fn one_that_is_not_there_is_told_nothing() {
        Supervisor::default().ready();
        SignsOfLife::start(&Supervisor::default()).give(|| panic!("nobody asks"));
    }

    #[test]
    fn a_dead_run_gives_no_sign_of_life() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let supervisor = Supervisor { socket: Some(ours), period: Some(Duration::from_secs(3_600)) };
        let mut signs = SignsOfLife::start(&supervisor);
        signs.give(|| false);
        assert_eq!(heard(&theirs), "");
        signs.give(|| true);
        assert_eq!(heard(&theirs), "WATCHDOG=1");
        // The next is due in an hour.
        signs.give(|| true);
        assert_eq!(heard(&theirs), "");
    }

    #[test]
    fn it_is_told_twice_as_often_as_it_looks() {
        let of = |time: &str, pid: Option<&str>| period(Some(time.to_owned()), pid.map(str::to_owned), 7);
        assert_eq!(of("10000000", None), Some(Duration::from_secs(5)));
        assert_eq!(of("10000000", Some("7")), Some(Duration::from_secs(5)));
        assert_eq!(of("10000000", Some("8")), None);
        assert_eq!((of("0", None), of("soon", None), period(None, None, 7)), (None, None, None));
    }
}
