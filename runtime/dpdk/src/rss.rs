//! RSS: what a port is told about spreading flows over its rx queues.

use super::device::Abilities;
use perigee_config::{RSS_FUNCTIONS, Rss, RssFunction, RssKey};
use perigee_dpdk_sys::offload;

/// What a port is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spread {
    /// DPDK's bits of functions; 0: it spreads nothing.
    pub(super) functions: u64,
    /// The key; empty: the driver's own.
    pub(super) key: Vec<u8>,
}

/// The length of a key where a driver does not say it (RTE_ETH_HASH_KEY_SIZE of most).
const KEY_LEN: u8 = 40;
/// Woo and Park's key repeats this.
const SYMMETRIC: [u8; 2] = [0x6d, 0x5a];

impl Spread {
    /// The key and its length as DPDK takes them: none where it is the driver's own.
    pub(super) fn key(&self) -> (*mut u8, u8) {
        let key = if self.key.is_empty() { std::ptr::null() } else { self.key.as_ptr() };
        (key.cast_mut(), u8::try_from(self.key.len()).unwrap_or(0))
    }

    /// Tells where a card has several rx queues and spreads nothing over them.
    pub(super) fn tell(&self, port: &str, abilities: &Abilities, rx_queues: u16) {
        if self.functions == 0 && rx_queues > 1 && abilities.is_pci {
            tracing::warn!(
                port,
                "it has {rx_queues} rx queues and no RSS: packets come in at queue 0, and at the others where flow rules lead \
                 to them"
            );
        }
    }
}

impl Abilities {
    /// Works out what a port with this entry is told. The text says what it cannot do, and what it can.
    pub(super) fn spread(&self, rss: Option<&Rss>) -> Result<Spread, String> {
        let usual = self.rss & offload::RSS_IP_L4;
        let Some(rss) = rss else { return Ok(Spread { functions: usual, key: Vec::new() }) };
        if self.rss == 0 {
            return Err(format!(
                "rss: its driver ({}) spreads nothing over rx queues; leave the key away, and lead flows to queues by \
                 [[port.flow]]",
                self.driver
            ));
        }
        let functions = match &rss.functions {
            None => usual,
            Some(functions) => {
                functions.iter().try_fold(0, |bits, function| Ok::<u64, String>(bits | self.bits_of(*function)?))?
            }
        };
        Ok(Spread { functions, key: rss.key.as_ref().map(|key| self.key(key)).transpose()?.unwrap_or_default() })
    }

    fn bits_of(&self, function: RssFunction) -> Result<u64, String> {
        let has = function.bits & self.rss;
        if has == function.bits || (function.is_group && has != 0) {
            return Ok(has);
        }
        let known = RSS_FUNCTIONS.into_iter().filter(|known| {
            let has = known.bits & self.rss;
            has == known.bits || (known.is_group && has != 0)
        });
        let known: Vec<&str> = known.map(RssFunction::name).collect();
        Err(format!("rss: the device has no function {:?}; it has {}", function.name(), known.join(", ")))
    }

    fn key(&self, key: &RssKey) -> Result<Vec<u8>, String> {
        let len = if self.hash_key_len == 0 { KEY_LEN } else { self.hash_key_len };
        match key {
            RssKey::Symmetric => Ok(SYMMETRIC.into_iter().cycle().take(len.into()).collect()),
            RssKey::Bytes(bytes) if bytes.len() == usize::from(len) => Ok(bytes.clone()),
            RssKey::Bytes(bytes) => Err(format!("rss: the key has {} bytes, and the device's has {len}", bytes.len())),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_config::rss_bits as bits;

    /// As igb says it (DPDK 22.11, IGB_RSS_OFFLOAD_ALL).
    fn igb() -> Abilities {
        let four = bits::IPV4 | bits::IPV4_TCP | bits::IPV4_UDP;
        let six = bits::IPV6 | bits::IPV6_TCP | bits::IPV6_UDP | bits::IPV6_EX | bits::IPV6_TCP_EX | bits::IPV6_UDP_EX;
        Abilities {
            driver: "net_e1000_igb".into(),
            max_rx_queues: 16,
            max_tx_queues: 16,
            rx_offloads: 0,
            tx_offloads: 0,
            rss: four | six,
            hash_key_len: 40,
            max_mtu: 9_000,
            is_pci: true,
            counts_beside: 0,
        }
    }

    fn spread(text: &str) -> Result<Spread, String> {
        igb().spread(Some(&toml::from_str(text).unwrap()))
    }

    #[test]
    fn without_an_entry_flows_are_spread_by_what_the_device_has() {
        let usual = igb().spread(None).unwrap();
        assert_eq!((usual.functions, usual.key.len()), (igb().rss & offload::RSS_IP_L4, 0));
    }

    #[test]
    fn a_group_is_what_the_device_has_of_it() {
        let some = spread("functions = [\"ip\", \"udp\"]").unwrap().functions;
        let expected = bits::IPV4 | bits::IPV6 | bits::IPV6_EX | bits::IPV4_UDP | bits::IPV6_UDP | bits::IPV6_UDP_EX;
        assert_eq!(some, expected);
    }

    #[test]
    fn what_the_device_cannot_do_is_told_with_what_it_can() {
        let told = spread("functions = [\"ipv4-sctp\"]").unwrap_err();
        assert!(
            told.starts_with("rss: the device has no function \"ipv4-sctp\"; it has ip, tcp, udp, ipv4,"),
            "{told}"
        );
        assert!(!told.contains("sctp,"), "{told}");
        assert_eq!(spread("key = \"6d5a\"").unwrap_err(), "rss: the key has 2 bytes, and the device's has 40");
        let none = Abilities { rss: 0, driver: "net_none".into(), ..igb() };
        assert!(none.spread(Some(&Rss::default())).unwrap_err().contains("(net_none) spreads nothing"));
    }

    #[test]
    fn the_symmetric_key_has_the_length_of_the_device() {
        let key = spread("key = \"symmetric\"").unwrap().key;
        assert_eq!((key.len(), &key[..4]), (40, &[0x6d, 0x5a, 0x6d, 0x5a][..]));
        let long = Abilities { hash_key_len: 52, ..igb() };
        assert_eq!(long.spread(Some(&toml::from_str("key = \"symmetric\"").unwrap())).unwrap().key.len(), 52);
        let own: Vec<String> = (0..40).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(spread(&format!("key = \"{}\"", own.join(":"))).unwrap().key, (0..40).collect::<Vec<u8>>());
    }
}
