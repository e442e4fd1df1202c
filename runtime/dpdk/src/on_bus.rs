//! The card below a port: it can be pulled out, or asked back by the machine, while the run goes on. Drivers do not tell.

use super::port::Port;
use super::{c_string, device::Device};
use perigee_core::lock;
use perigee_dpdk_sys as sys;
use perigee_machine::Card;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cards that the kernel has asked back from vfio (`device_del`, a hand at the lever of a slot): it waits until they are closed.
static ASKED_BACK: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Counters as they were when they could still be read.
pub(super) type LastCounters = (sys::rte_eth_stats, BTreeMap<String, u64>);

/// What is known of a port's card.
#[derive(Debug)]
pub(crate) struct OnBus {
    address: String,
    /// A file of the card's in /sys, opened before the jail: once the card is gone, it cannot be read any more.
    file: File,
    /// Where its registers lie in this process: addresses and lengths.
    registers: Vec<(usize, usize)>,
    is_gone: AtomicBool,
    is_asked_back: AtomicBool,
    /// A card that is gone answers no read, or only after a long wait.
    pub(super) last: Mutex<LastCounters>,
}

impl OnBus {
    /// The card, where the kernel shows it.
    pub(super) fn new(card: &Card) -> Option<Self> {
        let file = File::open(card.file()).ok()?;
        let name = c_string(&card.address);
        asked_back().retain(|address| *address != card.address);
        // SAFETY:
        // - the name is terminated and copied; the function below does what DPDK asks of it, and is there for good.
        let code = unsafe { sys::rte_dev_event_callback_register(name.as_ptr(), Some(told), std::ptr::null_mut()) };
        if code < 0 {
            tracing::debug!(card.address, "rte_dev_event_callback_register: {}", super::strerror(code));
        }
        let (is_gone, is_asked_back) = (false.into(), false.into());
        let registers = registers(&fs::read_to_string("/proc/self/maps").unwrap_or_default(), &card.address);
        Some(Self { address: card.address.clone(), file, registers, is_gone, is_asked_back, last: Mutex::default() })
    }

    /// It was pulled out.
    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    /// Lays memory over the registers. A driver that stops or closes its card waits long for each answer of one that gives none;
    /// of memory it gets what it has written, and goes on.
    fn forget_registers(&self) {
        for &(at, len) in &self.registers {
            let at = std::ptr::without_provenance_mut(at);
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            // SAFETY:
            // - the driver has mapped the card there and unmaps it when it is closed, which is not before this value is dropped.
            // - a driver that writes there meanwhile writes to the one or to the other.
            let code = unsafe { libc::mmap(at, len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
            if code == libc::MAP_FAILED {
                tracing::debug!(self.address, "its registers stay: {}", std::io::Error::last_os_error());
            }
        }
    }

    /// Looks whether it is still there, and tells of it once.
    fn look(&self, port: &Port) {
        if self.is_gone() {
            return;
        }
        let mut byte = [0];
        if self.file.read_at(&mut byte, 0).is_err_and(|e| e.raw_os_error() == Some(libc::ENODEV)) {
            self.is_gone.store(true, Ordering::Relaxed);
            self.forget_registers();
            let what = format!(
                "the card {} is gone: nothing comes in, and what is sent is dropped (link_down) until the run is started anew",
                self.address
            );
            port.events.add(&what);
        } else if asked_back().contains(&self.address) && !self.is_asked_back.swap(true, Ordering::Relaxed) {
            let what = format!(
                "the machine wants the card {} back, and waits until this run ends: stop it (perigee ctl stop)",
                self.address
            );
            port.events.add(&what);
        }
    }
}

/// Where the registers of a card are mapped, by /proc/self/maps: uio's drivers map its resources in /sys.
fn registers(maps: &str, address: &str) -> Vec<(usize, usize)> {
    let resource = format!("/{address}/resource");
    let number = |text: &str| usize::from_str_radix(text, 16).ok();
    let of_line = |line: &str| {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let (from, to) = (number(from)?, number(to)?);
        Some((from, to.checked_sub(from)?))
    };
    maps.lines().filter(|line| line.contains(&resource)).filter_map(of_line).collect()
}

fn asked_back() -> std::sync::MutexGuard<'static, Vec<String>> {
    lock(&ASKED_BACK)
}

/// DPDK's own thread calls this for what happens to a device.
unsafe extern "C" fn told(name: *const libc::c_char, event: sys::rte_dev_event_type, _: *mut libc::c_void) {
    if event != sys::RTE_DEV_EVENT_REMOVE || name.is_null() {
        return;
    }
    // SAFETY:
    // - DPDK gives the device's name, terminated, for the time of the call.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    asked_back().push(name);
}

impl Drop for OnBus {
    fn drop(&mut self) {
        let name = c_string(&self.address);
        // SAFETY:
        // - registered in `new` with the same name and argument; a callback that is not there is refused.
        unsafe { sys::rte_dev_event_callback_unregister(name.as_ptr(), Some(told), std::ptr::null_mut()) };
    }
}

impl Device {
    /// Its card was pulled out.
    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        self.bus.as_ref().is_some_and(OnBus::is_gone)
    }
}

impl Port {
    /// Looks whether the card below is still there.
    pub fn look_at_card(&self) {
        self.device.bus.iter().for_each(|bus| bus.look(self));
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn registers_are_found_among_all_that_is_mapped() {
        let maps = "7f0000000000-7f0000020000 rw-s 00000000 00:16 1234  /sys/devices/pci0000:00/0000:00:10.0/resource0\n\
                    7f0000020000-7f0000024000 rw-s 00000000 00:16 1235  /sys/devices/pci0000:00/0000:00:10.0/resource3\n\
                    7f0000024000-7f0000044000 rw-s 00000000 00:16 1236  /sys/devices/pci0000:00/0000:00:11.0/resource0\n\
                    7f0000044000-7f0000045000 rw-p 00000000 00:00 0\n";
        let found = registers(maps, "0000:00:10.0");
        assert_eq!(found, [(0x7f00_0000_0000, 0x2_0000), (0x7f00_0002_0000, 0x4000)]);
        assert!(registers(maps, "0000:00:12.0").is_empty());
    }
}
