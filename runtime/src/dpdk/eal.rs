//! Start of DPDK's environment abstraction layer (EAL): once per process.

use super::{c_string, strerror};
use crate::error::Error;
use perigee_dpdk_sys as sys;
use std::sync::{Mutex, OnceLock};

/// What EAL is started with.
#[derive(Clone, Debug)]
pub(crate) struct EalOptions {
    /// Use huge pages: `None` where the machine decides.
    pub(crate) huge_pages: Option<bool>,
    /// Megabytes that EAL reserves without huge pages, for mbuf headers, rings and queues.
    pub(crate) memory_mb: u64,
    /// PCI addresses to probe; no other PCI device is touched.
    pub(crate) pci: Vec<String>,
    /// Appended as they are.
    pub(crate) extra: Vec<String>,
}

/// A started EAL.
#[derive(Debug)]
pub(crate) struct Eal {
    /// EAL's memory, and so the packets', lies in huge pages.
    pub(crate) huge_pages: bool,
    pci: Vec<String>,
}

static EAL: OnceLock<Eal> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

impl Eal {
    /// Starts EAL, or returns the one that this process has: DPDK can be started once per process, so later options
    /// count only as far as they ask for no PCI device that the first start did not name.
    pub(crate) fn start(options: &EalOptions) -> Result<&'static Self, Error> {
        let _one_at_a_time = STARTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(eal) = EAL.get() {
            return match options.pci.iter().find(|a| !eal.pci.contains(a)) {
                None => Ok(eal),
                Some(address) => Err(Error::Eal(format!(
                    "PCI device {address} was not named when this process started DPDK: start a new process for it"
                ))),
            };
        }
        let free = free_huge_pages();
        let huge_pages = options.huge_pages.unwrap_or(free * 2 >= 64);
        if huge_pages && free == 0 {
            return Err(Error::Eal(
                "huge_pages = \"on\", but no free 2 MiB huge page: echo 512 > /proc/sys/vm/nr_hugepages (as root), \
                 or huge_pages = \"auto\""
                    .to_owned(),
            ));
        }
        init(options, huge_pages)?;
        Ok(EAL.get_or_init(|| Self { huge_pages, pci: options.pci.clone() }))
    }
}

/// Free huge pages of 2 MiB, by /proc/meminfo.
pub(crate) fn free_huge_pages() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("HugePages_Free:"));
    line.and_then(|l| l.trim().parse().ok()).unwrap_or(0)
}

fn init(options: &EalOptions, huge_pages: bool) -> Result<(), Error> {
    let mut args = vec!["perigee".to_owned()];
    if huge_pages {
        // Needs no mount and leaves nothing behind after kill -9.
        args.push("--in-memory".to_owned());
    } else {
        args.extend(["--no-huge", "--no-shconf", "-m"].map(str::to_owned));
        args.push(options.memory_mb.to_string());
    }
    if options.pci.is_empty() {
        args.push("--no-pci".to_owned());
    }
    for address in &options.pci {
        args.extend(["-a".to_owned(), address.clone()]);
    }
    // Our own threads register themselves; EAL's one lcore is only this thread.
    let affinity = Affinity::read();
    args.extend(["--no-telemetry".to_owned(), "-l".to_owned(), affinity.first().to_string()]);
    let level = if tracing::enabled!(tracing::Level::DEBUG) { "debug" } else { "warning" };
    args.push(format!("--log-level={level}"));
    args.extend(options.extra.iter().cloned());
    tracing::debug!(?args, "starting EAL");
    let owned: Vec<_> = args.iter().map(|a| c_string(a)).collect();
    let mut argv: Vec<_> = owned.iter().map(|a| a.as_ptr().cast_mut()).collect();
    argv.push(std::ptr::null_mut());
    let argc = i32::try_from(owned.len()).unwrap_or(i32::MAX);
    // SAFETY:
    // - argv holds argc pointers to terminated strings and a null behind them; EAL permutes the array, copies the strings.
    // - the caller holds the lock, and EAL has not been started in this process.
    let code = take_port_signals(|| unsafe { sys::rte_eal_init(argc, argv.as_mut_ptr()) });
    // EAL pins the calling thread; our control thread shall stay movable.
    affinity.restore();
    if code < 0 {
        let reason = super::last_error();
        return Err(Error::Eal(format!(
            "rte_eal_init failed ({reason}) with arguments {:?}; DPDK's own lines above say more, and `perigee doctor` \
             looks for the usual causes",
            &args[1..]
        )));
    }
    Ok(())
}

/// Keeps the real-time signals from the calling thread and from those that it starts: net_tap lets the kernel send one for
/// each packet that comes. Each wakes a thread that sleeps, and under load there are so many that its sleep never ends.
pub(crate) fn block_port_signals() {
    port_signals(libc::SIG_BLOCK);
}

/// Lets a thread that is started meanwhile, EAL's own for interrupts, take these signals: one thread must.
fn take_port_signals<T>(start: impl FnOnce() -> T) -> T {
    port_signals(libc::SIG_UNBLOCK);
    let started = start();
    port_signals(libc::SIG_BLOCK);
    started
}

fn port_signals(how: i32) {
    // SAFETY:
    // - a sigset_t is plain bits, for which all zero is a value: the empty set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for signal in libc::SIGRTMIN()..=libc::SIGRTMAX() {
        // SAFETY:
        // - the set is a valid one; a number that is no signal is refused.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    // SAFETY:
    // - the set is a valid one, and the old one is not asked for.
    unsafe { libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut()) };
}

/// Lets a device come up by its EAL name and arguments; returns DPDK's port number.
pub(crate) fn probe(device: &str) -> Result<u16, String> {
    let name = device.split(',').next().unwrap_or_default();
    if let Some(port) = port_by_name(name) {
        return Err(format!(
            "DPDK has a device of this name already (as port {port}): choose another number behind it"
        ));
    }
    let args = c_string(device);
    // SAFETY:
    // - EAL is started, and the string is terminated; DPDK copies it.
    let code = unsafe { sys::rte_dev_probe(args.as_ptr()) };
    if code < 0 {
        return Err(format!("DPDK could not probe it ({}). {}", strerror(code), probe_help(name)));
    }
    port_by_name(name).ok_or_else(|| format!("DPDK probed it, but it made no port. {}", probe_help(name)))
}

/// Rate of the time stamp counter in Hz, as EAL measured it.
pub(crate) fn tsc_hz() -> u64 {
    // SAFETY:
    // - EAL is started; this reads a number.
    unsafe { sys::rte_get_tsc_hz() }
}

fn probe_help(name: &str) -> String {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let help = match kind {
        "net_af_packet" => {
            "It needs iface=NAME of an interface that exists, CAP_NET_RAW (root, or a user namespace of its own), and \
             framesz of at least 2048 that holds the MTU; its ring counts against `ulimit -l` (\"Resource temporarily unavailable\")"
        }
        "net_af_xdp" => "It needs iface=NAME of an interface that exists, root, and a kernel with AF_XDP",
        "net_tap" => "It needs /dev/net/tun and CAP_NET_ADMIN (root, or a user and network namespace of its own)",
        "net_pcap" => "It needs rx_pcap=FILE (a pcap file that can be read), tx_pcap=FILE, or iface=NAME",
        "net_memif" => "It needs role=server or role=client, the same id on both sides, and a socket path it may write",
        "net_null" | "net_ring" => "Look at the device's arguments",
        _ if name.contains(':') => {
            "A PCI port must be bound to vfio-pci (dpdk-devbind.py --status) or have a bifurcated driver (mlx5); \
             `perigee doctor` shows the state"
        }
        _ => {
            "Known virtual devices: net_null, net_ring, net_pcap, net_tap, net_af_packet, net_af_xdp, net_memif, each with a number behind it"
        }
    };
    help.to_owned()
}

fn port_by_name(name: &str) -> Option<u16> {
    let name = c_string(name);
    let mut port = 0;
    // SAFETY:
    // - the string is terminated, and port is a valid place for the answer.
    let code = unsafe { sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut port) };
    (code == 0).then_some(port)
}

/// The set of CPUs that a thread may run on.
pub(crate) struct Affinity(libc::cpu_set_t);

impl Affinity {
    /// Of the calling thread.
    pub(crate) fn read() -> Self {
        // SAFETY:
        // - a cpu_set_t is plain bits, for which all zero is a value.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY:
        // - 0 is the calling thread, and the set has the size that is stated.
        unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
        Self(set)
    }

    /// The CPUs in it.
    pub(crate) fn cpus(&self) -> Vec<usize> {
        let max = usize::try_from(libc::CPU_SETSIZE).unwrap_or(0);
        // SAFETY:
        // - every number below CPU_SETSIZE lies inside the set.
        (0..max).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &self.0) }).collect()
    }

    fn first(&self) -> usize {
        self.cpus().first().copied().unwrap_or(0)
    }

    /// Of the calling thread: back to this set.
    pub(crate) fn restore(&self) {
        // SAFETY:
        // - 0 is the calling thread, and the set has the size that is stated.
        unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const self.0) };
    }

    /// Pins the calling thread to one CPU.
    pub(crate) fn pin(cpu: usize) -> Result<(), String> {
        // SAFETY:
        // - a cpu_set_t is plain bits, for which all zero is a value.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY:
        // - CPU_SET checks that the number lies inside the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
        // SAFETY:
        // - 0 is the calling thread, and the set has the size that is stated.
        let code = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
        if code == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().to_string()) }
    }
}

/// A thread's registration with EAL: gives it an lcore number, and with it mempool caches. Dropped, it is taken back.
pub(crate) struct Registered(());

impl Registered {
    /// Registers the calling thread.
    pub(crate) fn register() -> Result<Self, String> {
        // SAFETY:
        // - EAL is started: only then is there anything to run on this thread.
        let code = unsafe { sys::rte_thread_register() };
        if code == 0 { Ok(Self(())) } else { Err(super::last_error()) }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        // SAFETY:
        // - the thread was registered in `register`, and the value does not leave it.
        unsafe { sys::rte_thread_unregister() };
    }
}
