//! Rx and tx of bursts, and what is done around them for drivers that leave something out.

use super::burst::Burst;
use super::memif::Memif;
use super::port::Port;
use perigee_dpdk_sys as sys;

impl Port {
    /// Receives up to `max` packets to the end of the burst.
    #[inline]
    pub fn rx(&self, queue: u16, burst: &mut Burst, max: usize) -> usize {
        match &self.memif {
            None => self.rx_burst(queue, burst, max),
            Some(memif) if memif.is_paused() => 0,
            Some(memif) => {
                let n = self.rx_burst(queue, burst, max);
                let new = burst.len() - n;
                memif.count_rx(n, burst.iter_mut().skip(new).map(|packet| u64::from(packet.total_len())).sum());
                n
            }
        }
    }

    #[inline]
    fn rx_burst(&self, queue: u16, burst: &mut Burst, max: usize) -> usize {
        burst.extend_raw(max, |mbufs, n| {
            // SAFETY:
            // - the port is started and the queue belongs to the calling lcore; there is place for n pointers.
            unsafe { sys::perigee_rx_burst(self.device.id, queue, mbufs, n) }.into()
        })
    }

    /// Sends packets from the front of the burst; what the port does not take stays in it.
    #[inline]
    pub fn tx(&self, queue: u16, burst: &mut Burst) -> usize {
        match (&self.memif, &self.device.packet) {
            (None, None) => self.tx_burst(queue, burst),
            (Some(memif), _) => self.tx_memif(memif, queue, burst),
            (_, Some(packet)) => {
                let before = self.sent_by_queue(queue);
                let taken = self.tx_burst(queue, burst);
                // net_af_packet leaves in its ring what it counts as lost.
                if taken != 0 && self.sent_by_queue(queue) == before {
                    packet.take_back(queue);
                }
                taken
            }
        }
    }

    /// True where [`Self::tx_told`] knows of packets that are too long: net_pcap hands each to the kernel by a call of its own.
    pub fn tells_too_long(&self) -> bool {
        self.abilities.driver == "net_pcap"
    }

    /// Some packet may be none that the driver ever takes. net_ring and net_memif take each as soon as there is a place in their rings.
    pub fn may_refuse(&self) -> bool {
        !matches!(self.abilities.driver.as_str(), "net_ring" | "net_memif")
    }

    /// As [`Self::tx`], and whether the packet that is now the first one was refused because it is too long for the interface.
    pub fn tx_told(&self, queue: u16, burst: &mut Burst) -> (usize, bool) {
        // SAFETY:
        // - this is a number of the calling thread's own.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY:
        // - as above: it lives as long as the thread.
        unsafe { errno.write(0) };
        let taken = self.tx(queue, burst);
        // SAFETY:
        // - as above.
        let error = unsafe { errno.read() };
        (taken, error == libc::EMSGSIZE)
    }

    #[inline]
    fn tx_burst(&self, queue: u16, burst: &mut Burst) -> usize {
        burst.drain_raw(|mbufs, n| {
            // SAFETY:
            // - the port is started and the queue belongs to the calling lcore; the burst forgets what was taken.
            unsafe { sys::perigee_tx_burst(self.device.id, queue, mbufs, n) }.into()
        })
    }

    fn tx_memif(&self, memif: &Memif, queue: u16, burst: &mut Burst) -> usize {
        if memif.is_paused() {
            return 0;
        }
        let bytes = |burst: &mut Burst| burst.iter_mut().map(|packet| u64::from(packet.total_len())).sum::<u64>();
        let before = bytes(burst);
        let taken = self.tx_burst(queue, burst);
        memif.count_tx(taken, before.saturating_sub(bytes(burst)));
        taken
    }

    /// What the driver has sent from a queue. No system call: it adds up numbers of its own.
    fn sent_by_queue(&self, queue: u16) -> u64 {
        let mut stats = sys::rte_eth_stats::default();
        // SAFETY:
        // - the port exists, and stats is a valid place for the answer.
        unsafe { sys::rte_eth_stats_get(self.device.id, &raw mut stats) };
        stats.q_opackets.get(usize::from(queue)).copied().unwrap_or(stats.opackets)
    }

    /// Lets the driver prepare offloads; returns how many packets from the front are ready.
    pub fn tx_prepare(&self, queue: u16, burst: &mut Burst) -> usize {
        let mut ready = 0;
        burst.drain_raw(|mbufs, n| {
            // SAFETY:
            // - as for tx; nothing leaves the burst.
            ready = unsafe { sys::perigee_tx_prepare(self.device.id, queue, mbufs, n) }.into();
            0
        });
        ready
    }
}
