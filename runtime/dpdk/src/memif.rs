//! What net_memif does not do by itself: its client looks for a server once, its server stumbles over a socket that a killed
//! process has left, its counters fall to 0 while there is no peer, and it says nothing of why there is none.

use super::device::check;
use super::port::Port;
use perigee_config::device::{argument, is_server, kind};
use perigee_core::lock;
use perigee_dpdk_sys as sys;
use perigee_jail::with_rights;
use perigee_report::PortStats;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Where a memif looks for its peer if its arguments say nothing.
const DEFAULT: &str = "/run/memif.sock";
/// A peer that is there has connected after so long.
const USUAL: Duration = Duration::from_secs(3);
/// Between two attempts to connect: the least, and the most.
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(16);

/// A memif port.
#[derive(Debug)]
pub(crate) struct Memif {
    place: Place,
    server: bool,
    /// No lcore may call the driver: it is stopped and started.
    is_paused: AtomicBool,
    /// Packets and bytes that came, and that went: the driver's own numbers are those of the peer's queues, and 0 while there
    /// is no peer.
    came: [AtomicU64; 2],
    went: [AtomicU64; 2],
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    is_up: bool,
    next: Instant,
    wait: Duration,
    /// The highest that each further counter of the driver's was seen at.
    highest: BTreeMap<String, u64>,
}

/// Where the socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    path: String,
    is_abstract: bool,
}

impl Place {
    fn of(device: &str) -> Self {
        let path = argument(device, "socket").unwrap_or(DEFAULT).to_owned();
        Self { path, is_abstract: argument(device, "socket-abstract") != Some("no") }
    }

    /// A server answers there; `None` where that cannot be seen. Nothing is disturbed: a memif's socket is of another type
    /// than the one that asks, and the kernel says so of a file. Abstract ones it only lists.
    fn is_served(&self) -> Option<bool> {
        if self.is_abstract {
            return std::fs::read_to_string("/proc/self/net/unix").ok().map(|list| is_listed(&list, &self.path));
        }
        match UnixStream::connect(&self.path) {
            Ok(_) => Some(true),
            Err(error) if error.raw_os_error() == Some(libc::EPROTOTYPE) => Some(true),
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Some(false),
            Err(_) => None,
        }
    }

    fn told(&self) -> String {
        if self.is_abstract {
            format!("the abstract socket {:?}", self.path)
        } else {
            format!("the socket {}", self.path)
        }
    }
}

/// Removes the socket of a server that was killed: DPDK would not start in its place.
pub(super) fn remove_leftover(device: &str) -> Result<(), String> {
    let place = Place::of(device);
    if kind(device) != "net_memif" || !is_server(device) || place.is_abstract {
        return Ok(());
    }
    let Ok(facts) = std::fs::symlink_metadata(&place.path) else { return Ok(()) };
    if !facts.file_type().is_socket() {
        return Err(format!(
            "there is a file {} that is no socket: remove it, or give socket= another path",
            place.path
        ));
    }
    match place.is_served() {
        Some(false) => {
            std::fs::remove_file(&place.path)
                .map_err(|e| format!("the socket {} that a killed process left: {e}", place.path))?;
            tracing::warn!(socket = place.path, "a memif socket that a killed process had left was removed");
            Ok(())
        }
        // Other ports of this run may have it, too: one server's socket can have several ids.
        _ => Ok(()),
    }
}

impl Memif {
    /// What is to be known of a device, where it is one.
    pub(super) fn of(device: &str) -> Option<Self> {
        let now = Instant::now();
        let known = Known { is_up: false, next: now + SOON, wait: SOON, highest: BTreeMap::new() };
        (kind(device) == "net_memif").then(|| Self {
            place: Place::of(device),
            server: is_server(device),
            is_paused: false.into(),
            came: Default::default(),
            went: Default::default(),
            known: Mutex::new(known),
        })
    }

    /// Whether lcores must leave the driver alone.
    #[inline]
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Acquire)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    /// Counts a burst that came.
    pub(super) fn count_rx(&self, packets: usize, bytes: u64) {
        count(&self.came, packets, bytes);
    }

    /// Counts a burst that went.
    pub(super) fn count_tx(&self, packets: usize, bytes: u64) {
        count(&self.went, packets, bytes);
    }

    /// Completes what the driver says.
    pub(super) fn complete(&self, stats: &mut PortStats) {
        let read = |of: &[AtomicU64; 2]| (of[0].load(Ordering::Relaxed), of[1].load(Ordering::Relaxed));
        (stats.rx_packets, stats.rx_bytes) = read(&self.came);
        (stats.tx_packets, stats.tx_bytes) = read(&self.went);
        let mut known = self.known();
        // Those of all queues together are the numbers above.
        for (name, value) in std::mem::take(&mut stats.xstats).into_iter().filter(|(name, _)| !name.contains("_good_"))
        {
            let highest = known.highest.entry(name).or_insert(0);
            *highest = value.max(*highest);
        }
        stats.xstats = known.highest.clone();
    }

    /// Looks at the link, and tells what has changed.
    pub(super) fn look(&self, port: &Port, is_up: bool) {
        let mut known = self.known();
        if is_up != known.is_up {
            known.is_up = is_up;
            (known.wait, known.next) = (SOON, Instant::now() + SOON);
            if !is_up {
                port.events.count_down();
                port.events.add("link down: the peer is gone");
            } else if port.events.is_empty() {
                tracing::info!(port = port.name(), "link up: the peer is there");
            } else {
                port.events.add("link up: the peer is there");
            }
        } else if !is_up && port.events.is_empty() && port.events.age() > USUAL {
            port.events.add(&self.hint());
        }
    }

    /// Lets a client that has lost its server look for it again, by the thread that has the rights. `pause` returns when no
    /// lcore is inside the driver any more, or false if one does not say so.
    pub(super) fn connect_again(&self, port: &Port, pause: &dyn Fn() -> bool) {
        let mut known = self.known();
        if self.server || known.is_up || port.link_up() || Instant::now() < known.next {
            return;
        }
        known.wait = (known.wait * 2).min(LATE);
        known.next = Instant::now() + known.wait;
        drop(known);
        // A socket that root has made is root's.
        if with_rights(|| self.place.is_served()) != Some(true) {
            return;
        }
        // There is no other way to let the driver connect than to stop and to start it.
        self.is_paused.store(true, Ordering::SeqCst);
        if pause()
            && let Err(what) = with_rights(|| port.start_again())
        {
            tracing::debug!(port = port.name(), "{what}");
        }
        self.is_paused.store(false, Ordering::SeqCst);
    }

    /// Why there may be no peer.
    pub(super) fn hint(&self) -> String {
        let place = self.place.told();
        let default = if self.place.is_abstract {
            ". socket-abstract=no is needed for a socket that is a file, as VPP's /run/vpp/memif.sock is"
        } else {
            ""
        };
        if self.server {
            format!(
                "no peer has connected to {place}: it must have the same id and secret, and no more queues{default}"
            )
        } else {
            let served = match self.place.is_served() {
                Some(true) => "there is a server, which does not take us: id, secret, or fewer queues than ours",
                Some(false) => "nobody serves it: start the other end with role=server, or be the server",
                None => "it cannot be reached (rights?)",
            };
            format!("no link over {place}: {served}{default}")
        }
    }
}

/// Whether the kernel's list of local sockets has an abstract one of that name that somebody listens on.
fn is_listed(list: &str, name: &str) -> bool {
    /// The fourth field of a line, by net/unix/af_unix.c.
    const LISTENS: &str = "00010000";
    let is_it = |line: &str| line.split(' ').nth(3) == Some(LISTENS) && line.ends_with(&format!(" @{name}"));
    list.lines().any(is_it)
}

fn count(of: &[AtomicU64; 2], packets: usize, bytes: u64) {
    of[0].fetch_add(packets as u64, Ordering::Relaxed);
    of[1].fetch_add(bytes, Ordering::Relaxed);
}

impl Port {
    /// Looks at the link of a memif, and tells what has changed.
    pub fn look_at_peer(&self) {
        if let Some(memif) = &self.memif {
            memif.look(self, self.link_up());
        }
    }

    /// Lets a memif's client look for its server again. `pause` returns when no lcore is inside the driver, or false if one
    /// does not say so.
    pub fn connect_again(&self, pause: &dyn Fn() -> bool) {
        if let Some(memif) = &self.memif {
            memif.connect_again(self, pause);
        }
    }

    /// Stops the driver and starts it again. No lcore may be inside it.
    fn start_again(&self) -> Result<(), String> {
        // SAFETY:
        // - the port is configured, and no lcore calls it.
        unsafe { sys::rte_eth_dev_stop(self.dpdk_id()) };
        // SAFETY:
        // - as above.
        check("rte_eth_dev_start", unsafe { sys::rte_eth_dev_start(self.dpdk_id()) })
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    fn server(path: &std::path::Path) -> String {
        format!("net_memif0,role=server,id=1,socket={},socket-abstract=no", path.display())
    }

    #[test]
    fn only_a_dead_socket_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m.sock");
        assert_eq!(remove_leftover(&server(&path)), Ok(()), "nothing is there");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(remove_leftover(&server(&path)), Ok(()));
        assert!(path.exists(), "somebody answers there");
        drop(listener);
        for other in ["net_memif0,role=client", "net_memif0,role=server", "net_null0,role=server,socket-abstract=no"] {
            assert_eq!(remove_leftover(&format!("{other},socket={}", path.display())), Ok(()));
            assert!(path.exists(), "{other}: not its socket");
        }
        assert_eq!(remove_leftover(&server(&path)), Ok(()));
        assert!(!path.exists(), "nobody answers there");
        std::fs::write(&path, "a file").unwrap();
        assert!(remove_leftover(&server(&path)).unwrap_err().contains("no socket"));
        assert!(path.exists());
    }

    #[test]
    fn a_socket_is_abstract_unless_it_is_said_not_to_be() {
        let of = |device| Place::of(device);
        assert_eq!(of("net_memif0,role=server"), Place { path: DEFAULT.to_owned(), is_abstract: true });
        assert_eq!(of("net_memif0,socket=/a,socket-abstract=no"), Place { path: "/a".to_owned(), is_abstract: false });
        assert_eq!(of("net_memif0,socket=/a,socket-abstract=yes"), Place { path: "/a".to_owned(), is_abstract: true });
    }

    #[test]
    fn abstract_sockets_are_found_while_somebody_listens() {
        let name = format!("perigee-test-{}", std::process::id());
        let place = Place { path: name.clone(), is_abstract: true };
        assert_eq!(place.is_served(), Some(false));
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        assert_eq!(place.is_served(), Some(true));
        let longer = Place { path: format!("x{name}"), is_abstract: true };
        assert_eq!(longer.is_served(), Some(false));
        drop(listener);
        assert_eq!(place.is_served(), Some(false));
    }

    #[test]
    fn counters_never_fall() {
        let memif = Memif::of("net_memif0,role=client").unwrap();
        let stats = |driver, queue: &str| {
            let mut stats = PortStats { rx_packets: driver, ..PortStats::default() };
            stats.xstats = [(queue.to_owned(), driver), ("rx_good_packets".to_owned(), driver)].into();
            memif.complete(&mut stats);
            (stats.rx_packets, stats.tx_bytes, stats.xstats)
        };
        memif.count_rx(5, 300);
        memif.count_tx(1, 60);
        assert_eq!(stats(5, "rx_q0_packets"), (5, 60, [("rx_q0_packets".to_owned(), 5)].into()));
        assert_eq!(stats(0, "rx_q0_packets"), (5, 60, [("rx_q0_packets".to_owned(), 5)].into()), "without a peer");
    }
}
