//! Checks of the queues that the chains need, as they are placed, against those that a device can have.

use super::super::{Config, Placed, Source};
use super::Problems;

pub(super) fn queues(config: &Config, placed: &[Placed], found: &mut Problems) {
    for (index, port) in config.ports.iter().enumerate() {
        let device = port.device_text();
        let (Some(driver), Some((most_rx, most_tx))) = (device.driver(), device.most_queues()) else { continue };
        let senders = u16::try_from(config.senders(placed, index).len()).unwrap_or(u16::MAX);
        let tx = senders.saturating_mul(port.tx_queues_per_lcore).max(1);
        let rx = config.rx_queues(index).max(1);
        let (rx, tx) = if driver.pairs_queues { (rx.max(tx), rx.max(tx)) } else { (rx, tx) };
        let (path, who) = (format!("port[{index}]"), format!("port {:?}", port.name));
        if rx > most_rx || tx > most_tx {
            let what =
                format!("{who}: the plan needs {rx} rx and {tx} tx queues, the device has {most_rx} and {most_tx}");
            let help = "each lcore that sends to a port needs a tx queue of its own: fewer `rx_queues` or \
                        `tx_queues_per_lcore`, a device with more (net_af_packet: qpairs=N, net_af_xdp: queue_count=N, \
                        net_pcap: one tx_pcap per queue), or one lcore that sends, to which a [[ring]] brings packets";
            found.error(format!("{path}.device"), what, help);
            continue;
        }
        let has = match driver.name {
            "net_tap" | "net_tun" | "net_af_xdp" => rx,
            "net_af_packet" => most_rx,
            _ => continue,
        };
        unread(config, placed, index, has, found);
    }
}

/// The kernel spreads flows over all queues that such a device has: those in a queue that nobody reads would be lost, and no
/// counter would show it.
fn unread(config: &Config, placed: &[Placed], index: usize, has: u16, found: &mut Problems) {
    let port = &config.ports[index];
    let reads = |placed: &&Placed| matches!(&config.chains[placed.chain].source, Source::Port { port: name, .. } if *name == port.name);
    let read = placed.iter().filter(reads).count();
    if read == 0 || read >= usize::from(has) {
        return;
    }
    let what = format!("port {:?}: it has {has} rx queues, of which chains read {read}", port.name);
    let help = "the kernel spreads flows over all of them, and the others' would be lost. Let a chain read each queue \
                (lcores = [...]), or let one lcore alone send to this port: its rx and tx queues come in pairs";
    found.error(format!("port[{index}]"), what, help);
}
