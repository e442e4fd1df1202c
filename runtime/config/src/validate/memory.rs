//! The rule for everything whose size the configuration decides: what a run needs is worked out ([`Needs`]) and compared with what
//! there is, before any of it is mapped. A size that is only tried takes the machine's memory first and fails then.

use super::super::device::PacketRing;
use super::super::{Config, HugePages};
use super::Problems;
use crate::needs::Needs;
use perigee_machine::{Memory, Rights};

const MIB: u64 = 1 << 20;

/// One run, and the machine that it shall fit.
struct Fit<'a> {
    config: &'a Config,
    needs: Needs,
    machine: &'a Memory,
}

pub(super) fn memory(config: &Config, machine: &Memory, rights: Rights, cpus: &[u32], found: &mut Problems) {
    let needs = Needs::new(config, &config.placement(cpus));
    let fit = Fit { config, needs, machine };
    fit.eal_memory(found);
    let unguarded = config.ports.iter().find(|port| port.card().is_some_and(|card| card.is_unguarded()));
    match (unguarded, config.run.huge_pages) {
        (None, HugePages::On) => fit.huge_pages("huge_pages is \"on\"", "or huge_pages = \"auto\"", found),
        (None, _) => fit.dpdk(found),
        (Some(port), HugePages::Off) => {
            let what = format!("huge_pages is \"off\", and {}", reaches_all(&port.name));
            found.error("run.huge_pages", what, "huge_pages = \"auto\", or an IOMMU and vfio-pci");
        }
        (Some(port), _) => fit.huge_pages(&reaches_all(&port.name), "or an IOMMU and vfio-pci", found),
    }
    fit.free(found);
    fit.address_space(found);
    if !rights.ipc_lock() {
        fit.locked(found);
    }
}

/// Of a port whose card no IOMMU guards.
fn reaches_all(port: &str) -> String {
    format!("port {port:?}: nothing translates the card's addresses, so its packets must lie in huge pages")
}

impl Fit<'_> {
    /// A slip of a unit.
    fn eal_memory(&self, found: &mut Problems) {
        let (wanted, Some(total)) = (self.config.run.eal_memory, self.machine.total) else { return };
        if wanted > total {
            let what = format!("eal_memory is {} MiB, and the machine has {} MiB", wanted / MIB, total / MIB);
            found.error("run.eal_memory", what, format!("this run needs {} MiB of it", self.dpdk_mib()));
        }
    }

    /// DPDK's headers, rings and queues fit what EAL reserves.
    fn dpdk(&self, found: &mut Problems) {
        let (needed, given) = (self.needs.dpdk_bytes(), self.config.run.eal_memory);
        let enough = !self.config.all_virtual()
            && self.config.run.huge_pages == HugePages::Auto
            && self.machine.huge.free >= self.needs.huge_pages().all();
        if needed <= given || enough {
            return;
        }
        let what = format!(
            "DPDK needs {} MiB of memory of its own for headers, rings and queues ({}), and eal_memory is {} MiB",
            self.dpdk_mib(),
            self.largest(),
            given / MIB
        );
        let help =
            format!("eal_memory = \"{}M\" in [run], or fewer rooms by `{}`", self.dpdk_mib(), self.key_of_largest());
        found.error(self.path(), what, help);
    }

    /// Rooms, headers and the rest fit the memory that is free.
    fn free(&self, found: &mut Problems) {
        let Some(free) = self.machine.free else { return };
        let eal_memory = if self.config.run.huge_pages == HugePages::On { 0 } else { self.config.run.eal_memory };
        let in_huge = match self.config.run.huge_pages {
            HugePages::Off => 0,
            HugePages::Auto => self.needs.huge_pages().rooms.min(self.machine.huge.free),
            HugePages::On => self.needs.huge_pages().all(),
        };
        let needed = self.needs.all_bytes(eal_memory).saturating_sub(in_huge.saturating_mul(2 * MIB));
        if needed <= free.bytes {
            return;
        }
        let what = format!(
            "the run needs {} MiB of memory: {} MiB for rooms of {} bytes ({}), {} MiB for DPDK; {} {} MiB free",
            needed.div_ceil(MIB),
            self.needs.rooms_bytes().div_ceil(MIB),
            self.needs.room,
            self.largest(),
            self.dpdk_mib(),
            free.who,
            free.bytes / MIB
        );
        let help = format!("fewer rooms by `{}`, or a smaller `mtu` of all ports", self.key_of_largest());
        found.error(self.path(), what, help);
    }

    /// `on` never means "try", and some cards need them.
    fn huge_pages(&self, why: &str, or: &str, found: &mut Problems) {
        let (needed, has) = (self.needs.huge_pages(), self.machine.huge);
        if needed.all() <= has.free {
            return;
        }
        let what = format!(
            "{why}: {} pages of 2 MiB are needed ({} for rooms, {} for DPDK), and {} of {} are free",
            needed.all(),
            needed.rooms,
            needed.dpdk,
            has.free,
            has.total
        );
        let lacking = needed.all() - has.free;
        let help = format!(
            "echo {} | sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages, {or}",
            has.total.saturating_add(lacking)
        );
        found.error("run.huge_pages", what, help);
    }

    /// Each instance reserves addresses for all that a module can ever have, whatever it is granted.
    fn address_space(&self, found: &mut Problems) {
        let Some(left) = self.machine.address_space else { return };
        let needed = self.needs.address_space(self.config.run.eal_memory);
        if needed > left {
            let what = format!(
                "the run needs {} MiB of address space, 4 GiB of it for each instance of a module, and its limit leaves \
                 {} MiB",
                needed.div_ceil(MIB),
                left / MIB
            );
            found.error("chain", what, "ulimit -v unlimited; memory itself is limited by `memory` and `pool`");
        }
    }

    /// Rings of net_af_packet are locked memory.
    fn locked(&self, found: &mut Problems) {
        let Some(left) = self.machine.locked else { return };
        let ring = |port: &super::super::Port| {
            let device = port.device_text();
            let each = PacketRing::of(port).map_or(0, |ring| u64::from(ring.frame) * u64::from(ring.frames));
            // One ring to receive with and one to send with.
            let all = each.saturating_mul(2).saturating_mul(device.number("qpairs").unwrap_or(1));
            if device.is("net_af_packet") { all } else { 0 }
        };
        let mut before = 0_u64;
        for (index, port) in self.config.ports.iter().enumerate() {
            let own = ring(port);
            before = before.saturating_add(own);
            if own > 0 && before > left {
                let what = format!(
                    "port {:?}: its rings take {} MiB of locked memory ({} MiB with those before it), and {} MiB may be \
                     locked",
                    port.name,
                    own.div_ceil(MIB),
                    before.div_ceil(MIB),
                    left / MIB
                );
                let help = "a smaller framecnt= (512 frames are usual), `ulimit -l`, or root";
                found.error(format!("port[{index}].device"), what, help);
                return;
            }
        }
    }

    fn dpdk_mib(&self) -> u64 {
        self.needs.dpdk_bytes().div_ceil(MIB)
    }

    /// The pool that takes most: what to lower first.
    fn largest(&self) -> String {
        let largest = self.needs.largest();
        largest.map_or_else(String::new, |pool| format!("{}: {} packets", pool.label, pool.rooms))
    }

    fn path(&self) -> String {
        self.needs.largest().map(|pool| pool.key.clone()).unwrap_or_default()
    }

    /// The last step of its path: what somebody would write.
    fn key_of_largest(&self) -> String {
        self.path().rsplit('.').next().filter(|key| *key == "pool").unwrap_or("tx_descriptors").to_owned()
    }
}

#[cfg(test)]
mod test {
    use super::super::super::Port;
    use super::*;
    use perigee_machine::HugePages as Pages;

    const GIB: u64 = 1 << 30;

    /// A machine with so much memory free, and nothing else that limits anybody.
    fn machine(free: u64) -> Memory {
        Memory::with(free, 16 * GIB)
    }

    /// What is wrong with it on that machine, for a user without rights.
    fn problems(config: &Config, machine: &Memory) -> Vec<(String, String)> {
        let mut found = Problems::default();
        memory(config, machine, Rights::none(), &[0, 1], &mut found);
        found.0.into_iter().map(|problem| (problem.path.clone(), problem.to_string())).collect()
    }

    fn only(config: &Config, machine: &Memory, path: &str, texts: &[&str]) {
        let found = problems(config, machine);
        let [(at, text)] = &found[..] else { panic!("one problem: {found:?}") };
        assert_eq!(at, path, "{text}");
        texts.iter().for_each(|part| assert!(text.contains(part), "{part:?} is not in {text:?}"));
    }

    #[test]
    fn usual_runs_fit_small_machines() {
        for config in [Config::generate("m", "net_tap0"), Config::forward("m", "net_null0", "net_null1")] {
            assert_eq!(problems(&config, &machine(64 << 20)), []);
            assert_eq!(problems(&config, &Memory::default()), [], "where nobody tells, nothing is refused");
        }
    }

    #[test]
    fn both_keys_and_the_numbers_are_named() {
        let mut config = Config::generate("m", "net_null0");
        config.ports[0].pool = Some(1 << 24);
        let found = problems(&config, &machine(200 * GIB));
        assert_eq!(found.len(), 1, "{found:?}");
        let texts = ["DPDK needs 33", "rx of out: 16777216 packets", "eal_memory is 256 MiB", "fewer rooms by `pool`"];
        only(&config, &machine(200 * GIB), "port[0].pool", &texts);
        config.run.eal_memory = 4 * GIB;
        let texts = ["the run needs 39", "MiB for rooms of 2240 bytes (rx of out: 16777216", "has 8192 MiB free"];
        only(&config, &machine(8 * GIB), "port[0].pool", &texts);
        assert_eq!(problems(&config, &machine(40 * GIB)), []);
        config.run.eal_memory = 17 * GIB;
        let texts = ["eal_memory is 17408 MiB, and the machine has 16384 MiB"];
        only(&config, &machine(40 * GIB), "run.eal_memory", &texts);
    }

    #[test]
    fn a_generator_is_told_by_its_own_key() {
        let mut config = Config::generate("m", "net_null0");
        config.chains[0].source = crate::Source::Module { module: "m".to_owned(), pool: Some(4_000_000) };
        only(&config, &machine(200 * GIB), "chain[0].source.pool", &["generate on lcore 0: 4000000 packets"]);
        // On two lcores it is there twice.
        config.run.eal_memory = GIB;
        assert_eq!(problems(&config, &machine(16 * GIB)), []);
        config.chains[0].lcores = vec![0, 1];
        assert_eq!(problems(&config, &machine(16 * GIB)).len(), 2);
    }

    #[test]
    fn huge_pages_are_asked_for_by_number() {
        let mut config = Config::forward("m", "net_null0", "net_null1");
        config.run.huge_pages = HugePages::On;
        let with = |free: u64| Memory { huge: Pages { total: 64, free }, ..machine(64 << 20) };
        only(&config, &with(8), "run.huge_pages", &["huge_pages is \"on\": ", "are needed (", "and 8 of 64 are free"]);
        assert_eq!(problems(&config, &with(64)), []);
        // Rooms that find no place in ordinary memory find it there, whether they must or may.
        config.run.huge_pages = HugePages::Auto;
        let large = |config: &mut Config| config.ports[0].pool = Some(200_000);
        large(&mut config);
        assert_eq!(problems(&config, &with(0)).len(), 1);
        let many = Memory { huge: Pages { total: 512, free: 512 }, ..machine(128 << 20) };
        assert_eq!(problems(&config, &many), []);
        config.run.huge_pages = HugePages::Off;
        assert_eq!(problems(&config, &many).len(), 1);
    }

    #[test]
    fn held_packets_and_rings_count() {
        let mut config = Config::forward("m", "net_null0", "net_null1");
        config.modules[0].grants.hold = 1 << 24;
        assert_eq!(problems(&config, &machine(GIB)).len(), 1, "a table for each of two instances");
        config.modules[0].grants.hold = 0;
        let ring = |number: usize| crate::Ring { name: format!("r{number}"), size: 1 << 20, backpressure: None };
        config.rings = (0..100).map(ring).collect();
        assert_eq!(problems(&config, &machine(16 * GIB)).len(), 1, "1,600 MiB of rings, and eal_memory is 256");
    }

    #[test]
    fn limits_of_the_process_are_told() {
        let config = Config::forward("m", "net_null0", "net_null1");
        let little = Memory { address_space: Some(8 * GIB), ..machine(GIB) };
        only(&config, &little, "chain", &["MiB of address space, 4 GiB of it for each instance", "leaves 8192 MiB"]);
        let mut config = Config::generate("m", "net_af_packet0,iface=x,framesz=2048,framecnt=4096,blocksz=4096");
        config.ports.push(Port::new("b", "net_af_packet1,iface=y"));
        let locked = Memory { locked: Some(8 << 20), ..machine(GIB) };
        only(&config, &locked, "port[0].device", &["its rings take 16 MiB of locked memory", "8 MiB may be locked"]);
        config.ports.remove(0);
        config.chains[0].tx = vec!["b".to_owned()];
        assert_eq!(problems(&config, &locked), []);
    }
}
