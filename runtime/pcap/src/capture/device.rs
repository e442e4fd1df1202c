//! What a net_pcap device reads and writes, by its arguments: read as the driver reads them.

/// A net_pcap device.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PcapDevice<'a> {
    /// Files that it reads, one for each rx queue.
    pub rx_files: Vec<&'a str>,
    /// Files that it writes, one for each tx queue.
    pub tx_files: Vec<&'a str>,
    /// Interfaces that it reads or writes.
    pub interfaces: Vec<&'a str>,
    /// It begins its files again when they have ended.
    pub is_endless: bool,
    /// Arguments that the driver passes over because of others that it has.
    pub passed_over: Vec<&'a str>,
}

impl<'a> PcapDevice<'a> {
    /// `None` where the device is another one.
    pub fn of(device: &'a str) -> Option<Self> {
        let mut arguments = device.split(',');
        if !arguments.next().is_some_and(|name| name.trim().starts_with("net_pcap")) {
            return None;
        }
        let arguments: Vec<(&str, &str)> = arguments.filter_map(|argument| argument.split_once('=')).collect();
        let of = |names: &[&str]| {
            let named = arguments.iter().filter(|(name, _)| names.contains(name));
            named.map(|(_, value)| *value).collect::<Vec<&str>>()
        };
        let interface = of(&["iface"]);
        let (rx_files, rx_interfaces) = (of(&["rx_pcap"]), of(&["rx_iface", "rx_iface_in"]));
        let (tx_files, tx_interfaces) = (of(&["tx_pcap"]), of(&["tx_iface"]));
        if interface.len() == 1 {
            let passed_over = [rx_files, rx_interfaces, tx_files, tx_interfaces].concat();
            return Some(Self { interfaces: interface, passed_over, ..Self::default() });
        }
        let mut found = Self { passed_over: interface, ..Self::default() };
        let repeats: Vec<bool> = of(&["infinite_rx"]).into_iter().map(is_positive).collect();
        found.is_endless = !rx_files.is_empty() && repeats == [true];
        let unused = if rx_files.is_empty() { &mut found.interfaces } else { &mut found.passed_over };
        unused.extend(rx_interfaces);
        let unused = if tx_files.is_empty() { &mut found.interfaces } else { &mut found.passed_over };
        unused.extend(tx_interfaces);
        Some(Self { rx_files, tx_files, ..found })
    }
}

/// The driver reads a number from the beginning of the text (`atoi`).
fn is_positive(text: &str) -> bool {
    let text = text.trim_start();
    let digits: String = text.strip_prefix('+').unwrap_or(text).chars().take_while(char::is_ascii_digit).collect();
    digits.chars().any(|digit| digit != '0')
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn arguments_are_read_as_the_driver_reads_them() {
        let of = |device| PcapDevice::of(device).unwrap();
        assert_eq!(PcapDevice::of("net_null0,rx_pcap=a"), None);
        let two = of("net_pcap0,rx_pcap=a,rx_pcap=b,tx_pcap=c");
        assert_eq!((two.rx_files, two.tx_files, two.is_endless), (vec!["a", "b"], vec!["c"], false));
        assert_eq!(of("net_pcap0,rx_iface=x,tx_iface=y").interfaces, ["x", "y"]);
        assert_eq!(of("net_pcap0,iface=x,rx_pcap=a").passed_over, ["a"]);
        assert_eq!(of("net_pcap0,iface=x,rx_pcap=a").rx_files, [""; 0]);
        assert_eq!(of("net_pcap0,rx_pcap=a,rx_iface=x").passed_over, ["x"]);
        assert_eq!(of("net_pcap0,tx_pcap=a,rx_iface_in=x").interfaces, ["x"]);
    }

    #[test]
    fn endless_is_what_the_driver_takes_for_it() {
        let of = |text: &str| PcapDevice::of(&format!("net_pcap0,rx_pcap=a{text}")).unwrap().is_endless;
        let cases = [
            ("", false),
            (",infinite_rx=1", true),
            (",infinite_rx=2", true),
            (",infinite_rx= 01x", true),
            (",infinite_rx=0", false),
            (",infinite_rx=-1", false),
            (",infinite_rx=yes", false),
            // Twice is not once: the driver warns, and does without.
            (",infinite_rx=1,infinite_rx=1", false),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text), expected, "{text:?}");
        }
    }
}
