//! Routes as text: of the configuration and of messages.

use crate::config::{Config, LINES};
use crate::fib::{Entry, MEMBERS, Net, Owner, Place, Target};
use crate::interfaces::Interfaces;
use crate::{Router, Tables};
use alloc::vec::Vec;
use core::net::IpAddr;
use perigee_guest::Refusal;
use perigee_guest::wire::Mac;

/// A route, before its next hops have numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) net: Net,
    pub(crate) to: To,
}

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "it lives for a line of a message, and there is one of it")]
pub(crate) enum To {
    Blackhole,
    Unreachable,
    /// The destination itself is on the link of this port.
    Link(u16),
    /// One next hop or several.
    Hops([Option<Place>; MEMBERS]),
}

/// Refuses a line: `what` is wrong with it.
pub(crate) fn wrong(line: &str, what: &str) -> Refusal {
    Refusal::from_parts(&["\"", line, "\": ", what])
}

/// Reads a prefix: of either family.
pub(crate) fn read_net(line: &str, text: &str) -> Result<Net, Refusal> {
    let text = if text == "default" { "0.0.0.0/0" } else { text };
    let net = if text.contains(':') { text.parse().map(Net::V6) } else { text.parse().map(Net::V4) };
    net.map_err(|error| wrong(line, error.text()))
}

impl Route {
    /// Reads `PREFIX via ADDRESS [dev PORT] [via …]`, `PREFIX dev PORT`, `PREFIX blackhole` or `PREFIX unreachable`.
    pub(crate) fn read(line: &str, interfaces: &Interfaces) -> Result<Self, Refusal> {
        let mut words = line.split_ascii_whitespace().peekable();
        let net = read_net(line, words.next().unwrap_or_default())?;
        if is_kept_back(net) {
            return Err(wrong(line, "groups, loopback and link-local addresses are not routed"));
        }
        let (mut hops, mut count) = ([None; MEMBERS], 0);
        let to = match words.next() {
            Some("blackhole") => To::Blackhole,
            Some("unreachable") => To::Unreachable,
            Some("dev") => To::Link(read_port(line, words.next(), interfaces)?),
            Some("via") => loop {
                let address = words.next().and_then(|word| word.parse().ok());
                let address: IpAddr = address.ok_or_else(|| wrong(line, "behind `via` comes an address"))?;
                let port = match words.next_if_eq(&"dev") {
                    Some(_) => Some(read_port(line, words.next(), interfaces)?),
                    None => None,
                };
                let place = hops.get_mut(count).ok_or_else(|| wrong(line, "a route has 8 next hops at most"))?;
                *place = Some(next_hop(line, net, address, port, interfaces)?);
                count += 1;
                if words.next_if_eq(&"via").is_none() {
                    break To::Hops(hops);
                }
            },
            _ => {
                return Err(wrong(
                    line,
                    "behind the prefix comes `via ADDRESS`, `dev PORT`, `blackhole` or `unreachable`",
                ));
            }
        };
        match words.next() {
            None => Ok(Self { net, to }),
            Some(word) => Err(Refusal::from_parts(&["\"", line, "\": \"", word, "\" is one word too many"])),
        }
    }

    /// Whether the table has it, as the operator's.
    fn is_there(&self, tables: &Tables) -> bool {
        let Some(Entry { target, owner: Owner::OPERATOR }) = tables.fib.get(self.net) else { return false };
        let place = |hop: &u16| tables.fib.hops.get(usize::from(*hop)).map(|hop| hop.place);
        match (self.to, target) {
            (To::Blackhole, Target::Blackhole) | (To::Unreachable, Target::Unreachable) => true,
            (To::Link(port), Target::Link(other)) => port == other,
            (To::Hops(hops), Target::Hop(hop)) => hops[0] == place(&hop) && hops[1].is_none(),
            (To::Hops(hops), Target::Group(number)) => {
                let group = tables.fib.groups.get(usize::from(number)).copied().unwrap_or_default();
                let members = group.hops.iter().take(group.count.into()).map(place);
                hops.into_iter().filter(Option::is_some).eq(members)
            }
            _ => false,
        }
    }

    /// Gives the next hops numbers. Whoever gets a target puts it in, or leaves it again.
    pub(crate) fn target(&self, line: &str, tables: &mut Tables) -> Result<Target, Refusal> {
        let full = || wrong(line, "there are too many next hops: 1024, and 256 groups of them, are known at a time");
        let hops = match self.to {
            To::Blackhole => return Ok(Target::Blackhole),
            To::Unreachable => return Ok(Target::Unreachable),
            To::Link(port) => return Ok(Target::Link(port)),
            To::Hops(hops) => hops,
        };
        let (mut numbers, mut count) = ([0; MEMBERS], 0);
        for place in hops.into_iter().flatten() {
            let Some(number) = tables.fib.use_hop(place) else {
                numbers[..count].iter().for_each(|hop| tables.fib.leave_hop(*hop));
                return Err(full());
            };
            numbers[count] = number;
            count += 1;
        }
        if count == 1 {
            return Ok(Target::Hop(numbers[0]));
        }
        let group = tables.fib.use_group(&numbers[..count]);
        if group.is_none() {
            numbers[..count].iter().for_each(|hop| tables.fib.leave_hop(*hop));
        }
        group.map(Target::Group).ok_or_else(full)
    }
}

/// Puts a route in or takes it out; what was there comes back, and still has its next hops.
pub(crate) fn exchange(
    line: &str,
    net: Net,
    entry: Option<Entry>,
    tables: &mut Tables,
) -> Result<Option<Entry>, Refusal> {
    tables.fib.set(net, entry).map_err(|()| {
        wrong(line, "the table is full: 1,000,000 routes of IPv4 and 250,000 of IPv6 have room; take some out first")
    })
}

fn is_kept_back(net: Net) -> bool {
    match net {
        Net::V4(prefix) => {
            let first = prefix.address().octets()[0];
            prefix.len() > 0 && (first == 127 || first >= 224)
        }
        Net::V6(prefix) => {
            let address = prefix.address();
            prefix.len() > 0 && (address.is_multicast() || address.is_unicast_link_local() || address.is_loopback())
        }
    }
}

fn read_port(line: &str, word: Option<&str>, interfaces: &Interfaces) -> Result<u16, Refusal> {
    let port = word.and_then(|word| word.parse().ok()).filter(|port| interfaces.get(*port).is_some());
    port.ok_or_else(|| wrong(line, "behind `dev` comes the number of a port that is an interface"))
}

fn next_hop(
    line: &str,
    net: Net,
    address: IpAddr,
    port: Option<u16>,
    interfaces: &Interfaces,
) -> Result<Place, Refusal> {
    if matches!(net, Net::V4(_)) != address.is_ipv4() {
        return Err(wrong(line, "the next hop is of the other family than the prefix"));
    }
    let is_link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    if is_link_local && port.is_none() {
        return Err(wrong(line, "a link-local next hop needs its link: `via fe80::1 dev PORT`"));
    }
    let port = match port {
        Some(port) => Some(port).filter(|port| interfaces.get(*port).is_some_and(|link| link.reaches(address))),
        None => interfaces.reaching(address),
    };
    let port = port.ok_or_else(|| {
        wrong(line, "the next hop is on no interface: it must be inside the prefix of one of their addresses")
    })?;
    let is_own = interfaces.get(port).is_some_and(|link| match address {
        IpAddr::V4(address) => link.has_v4(address),
        IpAddr::V6(address) => link.has_v6(address),
    });
    if is_own {
        return Err(wrong(line, "the next hop is an address of the router itself"));
    }
    Ok(Place::new(port, address))
}

/// The routes of the configuration, which another configuration may take out again.
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    pub(crate) fn read(config: &Config, interfaces: &Interfaces) -> Result<Self, Refusal> {
        let mut routes = Vec::new();
        routes.try_reserve_exact(LINES).map_err(|_| Refusal::new("the module's heap has no room for the routes"))?;
        for line in config.routes.iter() {
            let route = Route::read(line.as_str(), interfaces)?;
            if routes.iter().any(|other: &Route| other.net == route.net) {
                return Err(wrong(
                    line.as_str(),
                    "there is a route to this prefix already: name all its next hops in one",
                ));
            }
            routes.push(route);
        }
        Ok(Self(routes))
    }

    pub(crate) fn all(&self) -> &[Route] {
        &self.0
    }

    /// Puts in what the interfaces bring along, and those that were not in the configuration `before`.
    pub(crate) fn put_in(&self, tables: &mut Tables, before: &[Route]) -> Result<(), Refusal> {
        let full = Refusal::new("the table is full");
        tables.fib.add_links(&tables.interfaces).map_err(|()| full)?;
        for route in &self.0 {
            if tables.fib.get(route.net).is_some_and(|known| known.owner == Owner::INTERFACES) {
                return Err(Refusal::new("routes: one is to a prefix of an interface, which is on a link already"));
            }
            if before.contains(route) || route.is_there(tables) {
                continue;
            }
            let target = route.target("a route of the configuration", tables)?;
            let entry = Entry { target, owner: Owner::OPERATOR };
            if let Some(before) = exchange("a route of the configuration", route.net, Some(entry), tables)? {
                tables.fib.leave(before.target);
            }
        }
        Ok(())
    }
}

/// What the configuration before has put into the table.
pub(crate) struct Before {
    /// The prefixes of its interfaces.
    pub(crate) own: Vec<Net>,
    pub(crate) routes: Vec<Route>,
}

impl Before {
    /// What goes with it: prefixes of interfaces that are none any more, and routes that the operator has no more. What a feed has put there is
    /// the feed's.
    fn leaving(&self, configured: &Routes, tables: &Tables) -> Vec<Net> {
        let own = tables.fib.own_nets(&tables.interfaces);
        let is_operators = |net| tables.fib.get(net).is_some_and(|entry| entry.owner == Owner::OPERATOR);
        let stays = |net: &Net| own.contains(net) || configured.all().iter().any(|route| route.net == *net);
        let routes = self.routes.iter().map(|route| route.net).filter(|net| is_operators(*net));
        self.own.iter().copied().chain(routes).filter(|net| !stays(net)).collect()
    }

    /// What goes, and what becomes another route.
    pub(crate) fn going(&self, configured: &Routes, tables: &Tables) -> Vec<Net> {
        let mut going = self.leaving(configured, tables);
        going.extend(configured.all().iter().filter(|route| !self.routes.contains(route)).map(|route| route.net));
        going
    }
}

/// Takes out what the configuration before has left, and puts in what this one has. What both have stays as it is: what has become of it since is
/// state, as other routes are.
pub(crate) fn change_over(before: &Before, router: &mut Router) -> Result<(), Refusal> {
    let Router { tables, configured, .. } = router;
    for net in before.leaving(configured, tables) {
        if let Ok(Some(gone)) = tables.fib.set(net, None) {
            tables.fib.leave(gone.target);
        }
    }
    configured.put_in(tables, &before.routes)
}

/// Puts in the neighbours that the configuration names: `ADDRESS lladdr MAC dev PORT`.
pub(crate) fn fix_neighbours(config: &Config, tables: &mut Tables, now: u64) -> Result<(), Refusal> {
    for line in config.neighbours.iter().map(perigee_guest::Text::as_str) {
        let words: [&str; 5] = {
            let mut words = line.split_ascii_whitespace();
            core::array::from_fn(|_| words.next().unwrap_or_default())
        };
        let [address, "lladdr", mac, "dev", port] = words else {
            return Err(wrong(line, "a neighbour is `ADDRESS lladdr MAC dev PORT`"));
        };
        let address: IpAddr = address.parse().map_err(|_| wrong(line, "it begins with an address"))?;
        let mac: Mac = mac.parse().map_err(|_| wrong(line, "behind `lladdr` comes a MAC address"))?;
        let port = read_port(line, Some(port), &tables.interfaces)?;
        if !tables.interfaces.get(port).is_some_and(|link| link.reaches(address)) {
            return Err(wrong(line, "the address is not on that link"));
        }
        if mac.is_multicast() || mac.is_zero() || !tables.neighbours.fix(Place::new(port, address), mac, now) {
            return Err(wrong(line, "is not one station, or there is no place for it"));
        }
    }
    Ok(())
}
