//! What is shown while a run goes on: numbers once a second, and a bar where the end is known. All of it goes to standard
//! error, so that standard output holds the result alone.

use crate::rates::{ChainRates, PortRates, window};
use crate::terminal::{hide_bar, move_bar, print_above, show_bar};
use perigee_runtime::{Run, Snapshot};
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
    let window = window(last, now);
    let names = now.ports.iter().map(|port| &port.name).chain(now.chains.iter().map(|chain| &chain.name));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let time = Duration::from_nanos(now.elapsed_ns).as_secs_f64();
    let mut text = String::new();
    for (index, port) in now.ports.iter().enumerate() {
        let rates = port_line(&PortRates::between(last.ports.get(index), port, window));
        text += &format!("{time:7.1} s  port  {:width$}           {rates}\n", port.name);
    }
    for (index, chain) in now.chains.iter().enumerate() {
        let rates = chain_line(&ChainRates::between(last.chains.get(index), chain, window));
        text += &format!("{time:7.1} s  chain {:width$} lcore {:<3} {rates}\n", chain.name, chain.lcore);
    }
    text
}

fn port_line(rates: &PortRates) -> String {
    let [rx, tx] = [&rates.rx, &rates.tx];
    let (rx_bits, tx_bits, lost) = (rx.port_bits(), tx.port_bits(), rates.lost());
    format!("rx {} {rx_bits}  tx {} {tx_bits}  lost {}", rx.packets(), tx.packets(), lost.trim())
}

fn chain_line(rates: &ChainRates) -> String {
    format!(
        "in {}              out {} {}  dropped {}  {} cycles/packet",
        rates.taken(),
        rates.left.packets(),
        rates.left.bits(),
        rates.dropped().trim(),
        rates.cycles(),
    )
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_runtime::{ChainStats, PortStats};

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
