//! What is shown while a run goes on: numbers once a second, and a bar where the end is known. All of it goes to standard
//! error, so that standard output holds the result alone.

use crate::table::{bit_rate, packet_rate, port_bit_rate};
use crate::terminal::{hide_bar, move_bar, print_above, show_bar};
use perigee_runtime::{ChainStats, PortStats, Run, Snapshot};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often numbers are shown.
const PERIOD: Duration = Duration::from_secs(1);

/// Shows a run as it goes on, until dropped.
pub(crate) struct Live {
    started: Instant,
    shown: Instant,
    last: Snapshot,
}

impl Live {
    /// Starts with the run; the bar is there where the duration is known and somebody is looking.
    pub(crate) fn start(duration: Option<Duration>) -> Self {
        if let Some(duration) = duration.filter(|_| std::io::stderr().is_terminal()) {
            show_bar(duration);
        }
        let now = Instant::now();
        Self { started: now, shown: now, last: Snapshot::default() }
    }

    /// Shows what is due.
    pub(crate) fn look(&mut self, run: &Run) {
        move_bar(self.started.elapsed());
        if self.shown.elapsed() < PERIOD {
            return;
        }
        self.shown += PERIOD;
        let now = run.snapshot();
        print_above(&lines(&self.last, &now));
        self.last = now;
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        hide_bar();
    }
}

/// A line for each port and chain: what happened between two snapshots, by the clock of the snapshots.
pub(crate) fn lines(last: &Snapshot, now: &Snapshot) -> String {
    let window = now.elapsed_ns.saturating_sub(last.elapsed_ns);
    let names = now.ports.iter().map(|port| &port.name).chain(now.chains.iter().map(|chain| &chain.name));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let time = Duration::from_nanos(now.elapsed_ns).as_secs_f64();
    let mut text = String::new();
    for (index, port) in now.ports.iter().enumerate() {
        let before = last.ports.get(index).cloned().unwrap_or_default();
        text += &format!("{time:7.1} s  port  {:width$}           {}\n", port.name, port_rates(&before, port, window));
    }
    for (index, chain) in now.chains.iter().enumerate() {
        let before = last.chains.get(index).cloned().unwrap_or_default();
        let rates = chain_rates(&before, chain, window);
        text += &format!("{time:7.1} s  chain {:width$} lcore {:<3} {rates}\n", chain.name, chain.lcore);
    }
    text
}

fn port_rates(before: &PortStats, now: &PortStats, window: u64) -> String {
    let packets = |field: fn(&PortStats) -> u64| packet_rate(field(now).saturating_sub(field(before)), window);
    let bits = |packets: fn(&PortStats) -> u64, bytes: fn(&PortStats) -> u64| {
        port_bit_rate(packets(now).saturating_sub(packets(before)), bytes(now).saturating_sub(bytes(before)), window)
    };
    format!(
        "rx {} {}  tx {} {}  lost {}",
        packets(|port| port.rx_packets),
        bits(|port| port.rx_packets, |port| port.rx_bytes),
        packets(|port| port.tx_packets),
        bits(|port| port.tx_packets, |port| port.tx_bytes),
        packets(|port| port.rx_missed + port.rx_nombuf + port.rx_too_long + port.kernel_drops).trim(),
    )
}

fn chain_rates(before: &ChainStats, now: &ChainStats, window: u64) -> String {
    let difference = |field: fn(&ChainStats) -> u64| field(now).saturating_sub(field(before));
    let packets = difference(ChainStats::taken);
    let cycles = difference(|chain| chain.cycles_busy).checked_div(packets);
    format!(
        "in {}              out {} {}  dropped {}  {} cycles/packet",
        packet_rate(packets, window),
        packet_rate(difference(|chain| chain.sent + chain.to_ring + chain.to_queue), window),
        bit_rate(difference(|chain| chain.sent_bytes), window),
        packet_rate(difference(ChainStats::dropped_total), window).trim(),
        cycles.map_or_else(|| "-".to_owned(), |cycles| cycles.to_string()),
    )
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn rates_are_of_the_window_between_two_snapshots() {
        let snapshot = |seconds: u64, packets: u64| Snapshot {
            elapsed_ns: seconds * 1_000_000_000,
            ports: vec![PortStats {
                name: "a".into(),
                tx_packets: packets,
                tx_bytes: packets * 60,
                ..Default::default()
            }],
            chains: vec![ChainStats {
                name: "load".into(),
                lcore: 1,
                created: packets * 2,
                sent: packets,
                sent_bytes: packets * 60,
                dropped: [("tx_full".to_owned(), packets)].into(),
                cycles_busy: packets * 500,
                ..Default::default()
            }],
            ..Default::default()
        };
        let text = lines(&snapshot(1, 1_000_000), &snapshot(3, 5_000_000));
        let expected = "    3.0 s  port  a              rx      0 pps       0 bit/s   tx   2.00 Mpps 960.00 Mbit/s  lost 0 pps
    3.0 s  chain load lcore 1   in   4.00 Mpps              out   2.00 Mpps 960.00 Mbit/s  dropped 2.00 Mpps  250 cycles/packet
";
        assert_eq!(text, expected);
        assert!(lines(&Snapshot::default(), &snapshot(1, 0)).contains("- cycles/packet"));
    }
}
