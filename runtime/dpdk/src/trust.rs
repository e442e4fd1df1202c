//! What "sent" and "received" mean with each driver: how far somebody looked. docs/operating.md, "What is counted", has the
//! same as a table.

use perigee_pcap::capture::PcapDevice;
use perigee_report::PortMeaning;

/// By the driver's name and the device's arguments; `is_unchecked` where it writes to a pipe or device.
pub fn meaning(driver: &str, device: &str, is_unchecked: bool) -> PortMeaning {
    const NOTHING: &str = "nothing";
    let pcap = PcapDevice::of(device).unwrap_or_default();
    let tap_missed = "not known: what its queue did not hold, the kernel has in the interface's own counters";
    let (sent, is_sent_believed, received, missed) = match driver {
        "net_null" => ("thrown away", false, "made by the driver", NOTHING),
        "net_ring" => ("in the port's own ring", false, "taken from the port's own ring", NOTHING),
        "net_pcap" if is_unchecked => {
            ("handed to a pipe or device, which may not have taken them", true, "read from the file", NOTHING)
        }
        "net_pcap" if !pcap.tx_files.is_empty() => {
            ("in the file, whose length was compared", false, "read from the file", NOTHING)
        }
        "net_pcap" if pcap.interfaces.is_empty() => {
            ("thrown away: the port has no tx_pcap", true, "read from the file", NOTHING)
        }
        "net_pcap" => (
            "taken by the kernel for the interface",
            false,
            "read from the file, or handed over by the kernel",
            "dropped by the kernel, because the socket was full",
        ),
        "net_tap" => ("taken by the kernel", false, "handed over by the kernel", tap_missed),
        "net_af_packet" => (
            "laid into the kernel's ring; what the kernel refuses there, no counter has",
            true,
            "handed over by the kernel",
            "dropped by the kernel, because the ring was full (kernel_drops)",
        ),
        "net_af_xdp" => (
            "laid into the kernel's ring; what the kernel refuses there, no counter has",
            true,
            "handed over by the kernel",
            "dropped by the kernel (kernel_drops, rx_missed)",
        ),
        "net_memif" => (
            "laid into the ring that is shared with the peer, who may not take them",
            true,
            "laid into the shared ring by the peer",
            "not known: where the ring is full, the peer drops",
        ),
        _ if device.contains(':') && !device.starts_with("net_") => {
            ("sent by the card, as it counts", false, "received by the card", "dropped by the card, as it counts")
        }
        _ => ("taken by the driver, as it counts", true, "given by the driver", "as the driver counts"),
    };
    let [sent, received, missed] = [sent, received, missed].map(str::to_owned);
    PortMeaning { sent, is_sent_believed, received, missed }
}

#[cfg(test)]
mod test {
    use super::*;

    /// The manual's table has a row for each driver, with these words.
    #[test]
    fn the_manual_has_these_words() {
        let manual = include_str!("../../../docs/operating.md");
        let ports = [
            ("net_null", "net_null0", false),
            ("net_ring", "net_ring0", false),
            ("net_pcap", "net_pcap0,rx_pcap=a,tx_pcap=b", false),
            ("net_pcap", "net_pcap0,tx_pcap=/dev/null", true),
            ("net_pcap", "net_pcap0,rx_pcap=a", false),
            ("net_pcap", "net_pcap0,iface=eth0", false),
            ("net_tap", "net_tap0,iface=tap-a", false),
            ("net_af_packet", "net_af_packet0,iface=eth0", false),
            ("net_af_xdp", "net_af_xdp0,iface=eth0", false),
            ("net_memif", "net_memif0,role=server", false),
            ("net_mlx5", "0000:01:00.0", false),
            ("net_vhost", "net_vhost0", false),
        ];
        for (driver, device, is_unchecked) in ports {
            let meaning = meaning(driver, device, is_unchecked);
            let sure = if meaning.is_sent_believed { "no" } else { "yes" };
            let cells = format!("| {} | {sure} | {} | {} |", meaning.sent, meaning.received, meaning.missed);
            assert!(manual.contains(&cells), "{device}: not in docs/operating.md: {cells}");
        }
    }
}
