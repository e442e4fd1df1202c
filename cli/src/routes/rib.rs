//! What the source says: routes and next-hop objects, as it said them.

use super::args::From;
use super::places::{Answer, Places};
use perigee_machine::netlink::routes::{Behind, Hop, MOST_HOPS, Net, News, Object, Others, Route};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Most of each that are remembered, whatever a source says: more than the router holds.
const MOST_ROUTES: usize = 2_000_000;
const MOST_OBJECTS: usize = 65_536;
/// Most different ways on whose texts are remembered.
const MOST_TEXTS: usize = 65_536;

/// A route to a prefix, beside others.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    metric: u32,
    tos: u8,
    behind: Arc<Behind>,
}

/// What news have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// What is done with this prefix, perhaps.
    Net(Net),
    /// All routes that lead to next-hop objects.
    Objects,
    /// It cannot be told from the news alone: all must be asked for anew.
    Unclear,
    /// More was said than is remembered.
    Full,
}

/// All that a source has said.
pub(super) struct Rib {
    /// Whose rules hold.
    from: From,
    table: u32,
    routes: HashMap<Net, Vec<Candidate>>,
    objects: HashMap<u32, Object>,
    behinds: HashSet<Arc<Behind>>,
    texts: HashMap<(Arc<Behind>, bool), Answer>,
}

impl Rib {
    /// Of a source, of which one table counts.
    pub(super) fn new(from: From, table: u32) -> Self {
        Self {
            from,
            table,
            routes: HashMap::new(),
            objects: HashMap::new(),
            behinds: HashSet::new(),
            texts: HashMap::new(),
        }
    }

    /// How many prefixes there are.
    pub(super) fn len(&self) -> usize {
        self.routes.len()
    }

    /// All prefixes.
    pub(super) fn nets(&self) -> impl Iterator<Item = Net> {
        self.routes.keys().copied()
    }

    /// All prefixes of which a route leads to a next-hop object.
    pub(super) fn nets_of_objects(&self) -> impl Iterator<Item = Net> {
        let is_of_object = |route: &Candidate| matches!(*route.behind, Behind::Object(_));
        self.routes.iter().filter(move |(_, routes)| routes.iter().any(is_of_object)).map(|(net, _)| *net)
    }

    /// Ports have changed, so texts are others.
    pub(super) fn forget_texts(&mut self) {
        self.texts.clear();
    }

    /// Hears news.
    pub(super) fn hear(&mut self, news: News) -> Effect {
        match news {
            News::Came(route, others) if self.is_wanted(&route) => self.came(route, others),
            News::Went(route) if self.is_wanted(&route) => self.went(&route),
            News::Object(id, Some(_)) if self.objects.len() >= MOST_OBJECTS && !self.objects.contains_key(&id) => {
                Effect::Full
            }
            News::Object(id, object) => {
                self.texts.clear();
                match object {
                    Some(object) => self.objects.insert(id, object),
                    None => self.objects.remove(&id),
                };
                Effect::Objects
            }
            _ => Effect::None,
        }
    }

    /// What an interface brings along, the router has of its own configuration.
    fn is_wanted(&self, route: &Route) -> bool {
        let is_link =
            |behind: &Behind| !matches!(behind, Behind::Hops(hops) if hops.iter().any(|hop| hop.gateway.is_some()));
        route.table == self.table && route.is_forwarding && !(route.is_of_interface && is_link(&route.behind))
    }

    fn came(&mut self, route: Route, others: Others) -> Effect {
        let Route { net, metric, tos, behind, .. } = route;
        let behind = match self.behinds.get(&behind) {
            Some(known) => Arc::clone(known),
            None => {
                if self.behinds.len() >= MOST_TEXTS {
                    self.behinds.retain(|behind| Arc::strong_count(behind) > 1);
                }
                let new = Arc::new(behind);
                self.behinds.insert(Arc::clone(&new));
                new
            }
        };
        let is_full = self.routes.len() >= MOST_ROUTES;
        let routes = match self.routes.entry(net) {
            Entry::Vacant(_) if is_full => return Effect::Full,
            Entry::Vacant(place) => place.insert(Vec::with_capacity(1)),
            Entry::Occupied(place) => place.into_mut(),
        };
        let new = Candidate { metric, tos, behind };
        // FRR has one route to a prefix, and says what it is now.
        if self.from == From::Fpm {
            *routes = vec![new];
            return Effect::Net(net);
        }
        match routes.iter_mut().find(|known| (known.metric, known.tos) == (metric, tos)) {
            None => routes.push(new),
            Some(known) if *known == new => return Effect::None,
            Some(known) if others == Others::Replaced => *known = new,
            // One beside another: which of them counts, or whether they are one with several next hops, the news do not say.
            Some(_) => return Effect::Unclear,
        }
        Effect::Net(net)
    }

    fn went(&mut self, route: &Route) -> Effect {
        if self.from == From::Fpm {
            return if self.routes.remove(&route.net).is_some() { Effect::Net(route.net) } else { Effect::None };
        }
        let Some(routes) = self.routes.get_mut(&route.net) else { return Effect::None };
        let is_it = |known: &Candidate| (known.metric, known.tos) == (route.metric, route.tos);
        let Some(at) = routes.iter().position(is_it) else { return Effect::None };
        // One of several, or one next hop of several.
        if *routes[at].behind != route.behind {
            return Effect::Unclear;
        }
        routes.remove(at);
        if routes.is_empty() {
            self.routes.remove(&route.net);
        }
        Effect::Net(route.net)
    }

    /// As the kernel tells all of its routes: of those with the same name, the first one counts.
    pub(super) fn hear_all(&mut self, news: News) -> bool {
        !matches!(self.hear(news), Effect::Full)
    }

    /// What the router is to do with a prefix.
    pub(super) fn answer(&mut self, net: Net, places: &Places) -> Answer {
        if places.is_own(net) {
            return Answer::Nothing;
        }
        let best =
            self.routes.get(&net).and_then(|routes| routes.iter().min_by_key(|route| (route.tos != 0, route.metric)));
        let Some(best) = best else { return Answer::Nothing };
        let key = (Arc::clone(&best.behind), net.address.is_ipv4());
        if let Some(known) = self.texts.get(&key) {
            return known.clone();
        }
        let answer = match &*key.0 {
            Behind::Object(id) => match self.resolve(*id) {
                Ok(behind) => places.answer(&behind, key.1),
                Err(why) => Answer::Odd(why),
            },
            behind => places.answer(behind, key.1),
        };
        if self.texts.len() >= MOST_TEXTS {
            self.texts.clear();
        }
        self.texts.insert(key, answer.clone());
        answer
    }

    /// The hops behind an object. FRR tells a group before its members, so one that is missing may yet come.
    fn resolve(&self, id: u32) -> Result<Behind, &'static str> {
        const UNKNOWN: &str = "has a next hop of which only the number is known";
        let members = match self.objects.get(&id).ok_or(UNKNOWN)? {
            Object::Hop(hop) => return Ok(Behind::Hops(vec![*hop])),
            Object::Blackhole => return Ok(Behind::Blackhole),
            Object::Odd(why) => return Err(why),
            Object::Group(members) => members,
        };
        let mut hops = Vec::with_capacity(members.len().min(MOST_HOPS));
        for (member, weight) in members {
            match self.objects.get(member).ok_or(UNKNOWN)? {
                Object::Hop(hop) => hops.push(Hop { weight: *weight, ..*hop }),
                // The kernel has such ones alone in their groups.
                Object::Blackhole if members.len() == 1 => return Ok(Behind::Blackhole),
                _ => return Err("has a group of next hops among its next hops"),
            }
        }
        Ok(Behind::Hops(hops))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn route(gateway: &str, metric: u32) -> Route {
        let hop = Hop { gateway: gateway.parse().ok(), interface: 0, weight: 1, is_dead: false };
        let (net, behind) = ("20.0.0.0/8".parse().unwrap(), Behind::Hops(vec![hop]));
        Route { net, table: 254, metric, tos: 0, is_of_interface: false, is_forwarding: true, behind }
    }

    fn answer(rib: &mut Rib) -> Answer {
        let mut places = Places::default();
        places.set_links("1 mac 02:00:00:00:00:11 mtu 1400 10.0.1.1/24 fe80::11");
        rib.answer("20.0.0.0/8".parse().unwrap(), &places)
    }

    #[test]
    fn of_several_metrics_the_lowest_counts() {
        let mut rib = Rib::new(From::Kernel, 254);
        let (near, far) = (route("10.0.1.2", 10), route("10.0.1.3", 50));
        let net = Effect::Net(near.net);
        assert_eq!(rib.hear(News::Came(far.clone(), Others::Beside)), net);
        assert_eq!(rib.hear(News::Came(near.clone(), Others::Beside)), net);
        assert_eq!(answer(&mut rib), Answer::Way("via 10.0.1.2 dev 1".into()));
        assert_eq!(rib.hear(News::Went(near)), net);
        assert_eq!(answer(&mut rib), Answer::Way("via 10.0.1.3 dev 1".into()));
        assert_eq!(rib.hear(News::Went(far)), net);
        assert_eq!((answer(&mut rib), rib.len()), (Answer::Nothing, 0));
    }

    #[test]
    fn what_news_do_not_tell_is_asked_for() {
        let mut rib = Rib::new(From::Kernel, 254);
        rib.hear(News::Came(route("10.0.1.2", 0), Others::Beside));
        assert_eq!(rib.hear(News::Came(route("10.0.1.2", 0), Others::Beside)), Effect::None);
        assert_eq!(rib.hear(News::Came(route("10.0.1.3", 0), Others::Beside)), Effect::Unclear);
        assert_eq!(rib.hear(News::Went(route("10.0.1.3", 0))), Effect::Unclear);
        assert!(matches!(rib.hear(News::Came(route("10.0.1.3", 0), Others::Replaced)), Effect::Net(_)));
        assert_eq!(rib.hear(News::Went(route("10.0.1.3", 7))), Effect::None);
    }

    #[test]
    fn other_tables_and_what_interfaces_bring_along_are_left_out() {
        let mut rib = Rib::new(From::Kernel, 254);
        let other = Route { table: 100, ..route("10.0.1.2", 0) };
        let local = Route { is_forwarding: false, ..route("10.0.1.2", 0) };
        let link = Route { is_of_interface: true, ..route("", 0) };
        for route in [other, local, link] {
            assert_eq!(rib.hear(News::Came(route, Others::Beside)), Effect::None);
        }
        assert_eq!(rib.len(), 0);
    }
}
