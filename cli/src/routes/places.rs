//! The router's ports, and where next hops are among them.

use perigee_machine::netlink::routes::{Behind, Hop, MOST_HOPS, Net, net};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Most next hops of a route in the router.
const MEMBERS: usize = 8;

/// What the router does with the packets of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// What stands behind the prefix in the router's messages.
    Way(Arc<str>),
    /// It has no route for it.
    Nothing,
    /// It should have one, and cannot hold it: why.
    Odd(&'static str),
}

/// What is known of ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// The ports of the kernel's interfaces, by their numbers.
    interfaces: HashMap<u32, u16>,
    /// The prefixes of the router's links, with its own addresses.
    links: Vec<(u16, Net, IpAddr)>,
}

impl Places {
    /// The kernel's interfaces are these ports.
    pub(super) fn set_interfaces(&mut self, interfaces: HashMap<u32, u16>) {
        self.interfaces = interfaces;
    }

    /// What the router says of its interfaces: `PORT mac MAC mtu MTU ADDRESS/LEN … LINK-LOCAL`. Whether anything has changed.
    pub(super) fn set_links(&mut self, told: &str) -> bool {
        let mut links = Vec::new();
        for line in told.lines() {
            let mut words = line.split(' ');
            let Some(port) = words.next().and_then(|port| port.parse().ok()) else { continue };
            let prefixes = words.filter_map(|word| word.split_once('/'));
            let prefixes =
                prefixes.filter_map(|(address, len)| Some((address.parse::<IpAddr>().ok()?, len.parse().ok()?)));
            links.extend(prefixes.filter_map(|(own, len)| Some((port, net(own, len)?, own))));
        }
        let is_new = self.links != links;
        self.links = links;
        is_new
    }

    /// Whether a prefix is a link's, or an address of the router: it knows these by itself.
    pub(super) fn is_own(&self, net: Net) -> bool {
        let is_single = net.len == if net.address.is_ipv4() { 32 } else { 128 };
        self.links.iter().any(|(_, link, own)| *link == net || is_single && *own == net.address)
    }

    /// What the router is told for a way on.
    pub(super) fn answer(&self, behind: &Behind, is_ipv4: bool) -> Answer {
        let hops = match behind {
            Behind::Blackhole => return Answer::Way("blackhole".into()),
            Behind::Unreachable => return Answer::Way("unreachable".into()),
            Behind::Odd(why) => return Answer::Odd(why),
            Behind::Object(_) => return Answer::Odd("has a next hop of which only the number is known"),
            Behind::Hops(hops) => hops,
        };
        let alive: Vec<&Hop> = hops.iter().filter(|hop| !hop.is_dead).collect();
        match *alive.as_slice() {
            [] => Answer::Nothing,
            [Hop { gateway: None, interface, .. }] => match self.interfaces.get(interface) {
                Some(port) => Answer::Way(format!("dev {port}").into()),
                None => Answer::Odd("is on a link that --map does not name"),
            },
            _ => self.several(&alive, is_ipv4).map_or_else(Answer::Odd, |text| Answer::Way(text.into())),
        }
    }

    /// Next hops as text, each as often as its weight says, in one order.
    fn several(&self, hops: &[&Hop], is_ipv4: bool) -> Result<String, &'static str> {
        let divisor = hops.iter().fold(0, |divisor, hop| common_divisor(divisor, hop.weight));
        let mut ways = Vec::new();
        for hop in hops {
            let gateway = hop.gateway.ok_or("has the link itself among several next hops")?;
            if gateway.is_ipv4() != is_ipv4 {
                return Err("has a next hop of the other family");
            }
            let way = (self.port(gateway, hop.interface)?, gateway);
            let times = usize::from(hop.weight / divisor.max(1));
            if ways.len() + times > MEMBERS.min(MOST_HOPS) {
                return Err("has more next hops, or weights that are further apart, than eight places hold");
            }
            ways.extend(std::iter::repeat_n(way, times));
        }
        ways.sort_unstable();
        Ok(ways.iter().map(|(port, gateway)| format!("via {gateway} dev {port}")).collect::<Vec<_>>().join(" "))
    }

    /// The port of a next hop.
    fn port(&self, gateway: IpAddr, interface: u32) -> Result<u16, &'static str> {
        let mapped = self.interfaces.get(&interface).copied();
        if matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local()) {
            return mapped.ok_or("has a link-local next hop on a link that --map does not name");
        }
        let mut reaching = self.links.iter().filter(|(_, link, _)| link.contains(gateway)).map(|(port, _, _)| *port);
        match mapped {
            Some(port) if reaching.any(|reaching| reaching == port) => Ok(port),
            Some(_) => Err("has a next hop that is outside of the prefixes of its port"),
            None => reaching.next().ok_or("has a next hop that is on none of the router's links"),
        }
    }
}

fn common_divisor(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod test {
    use super::*;

    fn places() -> Places {
        let mut places = Places::default();
        let told = "0 mac 02:00:00:00:00:10 mtu 1500 10.0.0.1/24 2001:db8::1/64 fe80::10\n1 mac 02:00:00:00:00:11 mtu 1400 10.0.1.1/24 fe80::11\n";
        assert!(places.set_links(told) && !places.set_links(told));
        places.set_interfaces([(7, 0), (8, 1)].into());
        places
    }

    fn hop(gateway: &str, interface: u32, weight: u16) -> Hop {
        Hop { gateway: gateway.parse().ok(), interface, weight, is_dead: false }
    }

    fn told(hops: &[Hop]) -> Result<String, &'static str> {
        match places().answer(&Behind::Hops(hops.to_vec()), true) {
            Answer::Way(text) => Ok(text.to_string()),
            Answer::Nothing => Ok(String::new()),
            Answer::Odd(why) => Err(why),
        }
    }

    #[test]
    fn next_hops_find_their_ports() {
        assert_eq!(told(&[hop("10.0.1.9", 0, 1)]).as_deref(), Ok("via 10.0.1.9 dev 1"));
        assert_eq!(told(&[hop("10.0.1.9", 8, 1)]).as_deref(), Ok("via 10.0.1.9 dev 1"));
        assert_eq!(told(&[hop("", 8, 1)]).as_deref(), Ok("dev 1"));
        assert!(told(&[hop("10.0.1.9", 7, 1)]).unwrap_err().contains("outside of the prefixes"));
        assert!(told(&[hop("10.0.7.9", 0, 1)]).unwrap_err().contains("none of the router's links"));
        assert!(told(&[hop("", 9, 1)]).unwrap_err().contains("--map does not name"));
        assert!(told(&[hop("2001:db8::2", 0, 1)]).unwrap_err().contains("other family"));
        let local = Behind::Hops(vec![hop("fe80::9", 7, 1)]);
        assert_eq!(places().answer(&local, false), Answer::Way("via fe80::9 dev 0".into()));
    }

    #[test]
    fn weights_are_places() {
        let two = [hop("10.0.1.9", 0, 4), hop("10.0.0.9", 0, 2)];
        assert_eq!(told(&two).as_deref(), Ok("via 10.0.0.9 dev 0 via 10.0.1.9 dev 1 via 10.0.1.9 dev 1"));
        assert!(told(&[hop("10.0.1.9", 0, 8), hop("10.0.0.9", 0, 1)]).unwrap_err().contains("eight places"));
        let dead = Hop { is_dead: true, ..two[0] };
        assert_eq!(told(&[dead, two[1]]).as_deref(), Ok("via 10.0.0.9 dev 0"));
        assert_eq!(told(&[dead]).as_deref(), Ok(""));
        assert!(told(&[hop("", 8, 1), two[0]]).unwrap_err().contains("link itself"));
    }

    #[test]
    fn links_and_addresses_are_the_routers_own() {
        let is_own = |address: &str, len| places().is_own(net(address.parse().unwrap(), len).unwrap());
        assert!(is_own("10.0.0.0", 24) && is_own("10.0.1.1", 32) && is_own("2001:db8::", 64));
        assert!(!is_own("10.0.0.0", 25) && !is_own("10.0.1.2", 32) && !is_own("10.0.0.0", 8));
    }
}
