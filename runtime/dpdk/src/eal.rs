//! Start of DPDK's environment abstraction layer (EAL): once per process.

use super::{c_string, log, strerror};
use perigee_config::DeviceText;
use perigee_core::lock;
use perigee_dpdk_sys as sys;
use perigee_machine::{Affinity, Card};
use perigee_report::Error;
use std::sync::{Mutex, OnceLock};

/// What EAL is started with.
#[derive(Clone, Debug)]
pub struct EalOptions {
    /// DPDK's own memory lies in huge pages; what it lacks of them later is an error.
    pub huge_pages: bool,
    /// Megabytes that EAL reserves without huge pages, for mbuf headers, rings and queues.
    pub memory_mb: u64,
    /// Cards to probe, by [`DeviceText::spelled_out`]; no other PCI device is touched.
    pub pci: Vec<String>,
    /// All cards work with addresses of this process, or there is none.
    pub has_iommu: bool,
    /// Appended as they are.
    pub extra: Vec<String>,
}

/// A started EAL.
#[derive(Debug)]
pub struct Eal {
    pci: Vec<String>,
}

static EAL: OnceLock<Eal> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

impl Eal {
    /// Starts EAL, or returns the one that this process has: DPDK can be started once per process, so later options
    /// count only as far as they ask for no PCI device that the first start did not name.
    pub fn start(options: &EalOptions) -> Result<&'static Self, Error> {
        let _one_at_a_time = lock(&STARTING);
        if let Some(eal) = EAL.get() {
            return match options.pci.iter().find(|a| !eal.pci.contains(a)) {
                None => Ok(eal),
                Some(address) => Err(Error::Eal(format!(
                    "PCI device {address} was not named when this process started DPDK: start a new process for it"
                ))),
            };
        }
        log::open().map_err(|what| Error::Eal(what.to_owned()))?;
        let started = init(options);
        log::emit();
        started?;
        Ok(EAL.get_or_init(|| Self { pci: options.pci.clone() }))
    }
}

fn init(options: &EalOptions) -> Result<(), Error> {
    let mut args = vec!["perigee".to_owned()];
    if options.huge_pages {
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
    // Left to itself EAL takes physical addresses where the IOMMU has fewer bits than the process's addresses. Rooms lie where
    // few are enough, and need neither huge pages nor the right to see physical addresses then.
    if options.has_iommu && !options.extra.iter().any(|argument| argument.starts_with("--iova-mode")) {
        args.push("--iova-mode=va".to_owned());
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
    ignore_port_signals();
    // SAFETY:
    // - argv holds argc pointers to terminated strings and a null behind them; EAL permutes the array, copies the strings.
    // - the caller holds the lock, and EAL has not been started in this process.
    let code = unsafe { sys::rte_eal_init(argc, argv.as_mut_ptr()) };
    // DPDK has opened syslog, which it does not write to any more.
    // SAFETY:
    // - it closes a socket of the C library's own, which opens another one where somebody asks for it.
    unsafe { libc::closelog() };
    // EAL pins the calling thread; our control thread shall stay movable.
    affinity.restore();
    if code < 0 {
        let reason = super::last_error();
        let cards = options.pci.iter().filter_map(|device| Some(no_port(&DeviceText::new(device).pci_address()?)));
        let cards: String = cards.map(|why| format!(" {why}.")).collect();
        return Err(Error::Eal(format!(
            "rte_eal_init failed ({reason}) with arguments {:?}; DPDK's own lines above say more, and `perigee doctor` \
             looks for the usual causes.{cards}",
            &args[1..]
        )));
    }
    Ok(())
}

/// Ignores the real-time signals that nobody handles. net_tap looks for one that is free, to have the kernel send it for each
/// packet that comes: under load the queue of signals is full after some thousands, and then the kernel sends SIGIO, which
/// ends the process. Where it finds none it asks the kernel at each poll, which costs less and is never late.
fn ignore_port_signals() {
    for signal in libc::SIGRTMIN()..=libc::SIGRTMAX() {
        // SAFETY:
        // - a sigaction is plain numbers, for which all zero is a value.
        let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY:
        // - the place for the answer is valid, and nothing is changed.
        let code = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut now) };
        if code != 0 || now.sa_sigaction != libc::SIG_DFL {
            continue;
        }
        now.sa_sigaction = libc::SIG_IGN;
        // SAFETY:
        // - it is what the kernel gave, but for the handler, which is none.
        unsafe { libc::sigaction(signal, &raw const now, std::ptr::null_mut()) };
    }
}

/// Lets a device come up by its EAL name and arguments; returns DPDK's port number.
pub fn probe(device: &str) -> Result<u16, String> {
    let name = device.split(',').next().unwrap_or_default();
    let card = DeviceText::new(device).pci_address();
    if let Some(port) = port_by_name(name) {
        if card.is_some() {
            // EAL's start has probed it: which addresses it reaches decides about all memory.
            return Ok(port);
        }
        return Err(format!(
            "DPDK has a device of this name already (as port {port}): choose another number behind it"
        ));
    }
    let args = c_string(device);
    // SAFETY:
    // - EAL is started, and the string is terminated; DPDK copies it.
    let code = unsafe { sys::rte_dev_probe(args.as_ptr()) };
    log::emit();
    let help = || card.as_deref().map_or_else(|| probe_help(name), no_port);
    if code < 0 {
        return Err(format!("DPDK could not probe it ({}). {}", strerror(code), help()));
    }
    port_by_name(name).ok_or_else(|| format!("DPDK probed it, but it made no port. {}", help()))
}

/// Why there may be no port of a card.
fn no_port(address: &str) -> String {
    let card = Card::at(address);
    card.obstacle().map_or_else(|| card.no_port(), |(what, help)| format!("{what}: {help}"))
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

/// A thread's registration with EAL: gives it an lcore number, and with it mempool caches. Dropped, it is taken back.
pub struct Registered(());

impl Registered {
    /// Registers the calling thread.
    pub fn register() -> Result<Self, String> {
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
