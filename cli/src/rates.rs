//! What happened between two snapshots, by their clock: for lines and for the view.

use crate::table::{bit_rate, packet_rate, port_bit_rate};
use perigee_runtime::{ChainStats, PhaseCycles, PortStats, Snapshot};

/// Nanoseconds between two snapshots.
pub(crate) fn window(last: &Snapshot, now: &Snapshot) -> u64 {
    now.elapsed_ns.saturating_sub(last.elapsed_ns)
}

/// Packets in a second, of a window in nanoseconds.
pub(crate) fn per_second(packets: u64, window: u64) -> u64 {
    let each = u128::from(packets) * 1_000_000_000;
    each.checked_div(window.into()).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
}

/// Packets of one direction, and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow {
    /// How many.
    pub(crate) packets: u64,
    bytes: u64,
    window: u64,
}

impl Flow {
    /// As packets per second.
    pub(crate) fn packets(&self) -> String {
        packet_rate(self.packets, self.window)
    }

    /// As bits per second.
    pub(crate) fn bits(&self) -> String {
        bit_rate(self.bytes, self.window)
    }

    /// As bits per second, of a port, whose driver may not count bytes.
    pub(crate) fn port_bits(&self) -> String {
        port_bit_rate(self.packets, self.bytes, self.window)
    }
}

/// A port.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PortRates {
    /// What came.
    pub(crate) rx: Flow,
    /// What left.
    pub(crate) tx: Flow,
    /// Packets that came and that nobody got.
    pub(crate) lost: u64,
    window: u64,
}

impl PortRates {
    /// Since `before`, or since the start.
    pub(crate) fn between(before: Option<&PortStats>, now: &PortStats, window: u64) -> Self {
        let more = |field: fn(&PortStats) -> u64| field(now).saturating_sub(before.map_or(0, field));
        let flow = |packets, bytes| Flow { packets: more(packets), bytes: more(bytes), window };
        Self {
            rx: flow(|port| port.rx_packets, |port| port.rx_bytes),
            tx: flow(|port| port.tx_packets, |port| port.tx_bytes),
            lost: more(lost),
            window,
        }
    }

    /// What nobody got, as packets per second.
    pub(crate) fn lost(&self) -> String {
        packet_rate(self.lost, self.window)
    }
}

/// Packets that came to a port and that nobody got.
pub(crate) fn lost(port: &PortStats) -> u64 {
    port.rx_missed + port.rx_nombuf + port.rx_too_long + port.kernel_drops
}

/// A chain on one lcore.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChainRates {
    /// Packets that it took from its source.
    pub(crate) taken: u64,
    /// Packets that went to ports, rings and other rx queues, and the bytes of those that ports took.
    pub(crate) left: Flow,
    /// Packets that it dropped.
    pub(crate) dropped: u64,
    /// Cycles by packet; `None` where there was none.
    pub(crate) cycles_per_packet: Option<u64>,
    /// What cycles went into, where a poll was measured meanwhile; else since the start.
    phases: PhaseCycles,
    window: u64,
}

impl ChainRates {
    /// Since `before`, or since the start.
    pub(crate) fn between(before: Option<&ChainStats>, now: &ChainStats, window: u64) -> Self {
        let more = |field: fn(&ChainStats) -> u64| field(now).saturating_sub(before.map_or(0, field));
        let taken = more(ChainStats::taken);
        let left = Flow {
            packets: more(|chain| chain.sent + chain.to_ring + chain.to_queue),
            bytes: more(|chain| chain.sent_bytes),
            window,
        };
        let cycles_per_packet = more(|chain| chain.cycles_busy).checked_div(taken);
        let recent = before.map_or(now.phases, |before| now.phases.since(&before.phases));
        let phases = if recent.packets == 0 { now.phases } else { recent };
        Self { taken, left, dropped: more(ChainStats::dropped_total), cycles_per_packet, phases, window }
    }

    /// What it took, as packets per second.
    pub(crate) fn taken(&self) -> String {
        packet_rate(self.taken, self.window)
    }

    /// What it dropped, as packets per second.
    pub(crate) fn dropped(&self) -> String {
        packet_rate(self.dropped, self.window)
    }

    /// Cycles by packet and phase; nothing where none was measured.
    pub(crate) fn phases(&self) -> String {
        let of_packet =
            |(name, cycles): (&str, u64)| Some(format!("{name} {}", cycles.checked_div(self.phases.packets)?));
        self.phases.named().into_iter().filter_map(of_packet).collect::<Vec<_>>().join(", ")
    }

    /// Cycles by packet, or that there was none.
    pub(crate) fn cycles(&self) -> String {
        self.cycles_per_packet.map_or_else(|| "-".to_owned(), |cycles| cycles.to_string())
    }
}
