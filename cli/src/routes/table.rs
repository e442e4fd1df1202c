//! What the router has of this feed, and what it should have: the difference, in batches.

use super::places::{Answer, Places};
use super::rib::Rib;
use perigee_machine::netlink::routes::Net;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Most changes of a message: the router takes no more.
pub(super) const BATCH: usize = 64;
/// Most texts that are kept once for all routes that have them.
const MOST_TEXTS: usize = 65_536;

/// A route in the router.
struct Has {
    text: Arc<str>,
    /// Of a time before this one: nobody has said it again yet.
    is_old: bool,
}

/// A change of the router's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) net: Net,
    /// What it is to be; nothing: it goes.
    pub(super) to: Option<Arc<str>>,
}

impl Change {
    /// As the router's messages say it.
    pub(super) fn line(&self) -> String {
        match &self.to {
            Some(text) => format!("route replace {} {text}\n", self.net),
            None => format!("route del {}\n", self.net),
        }
    }
}

/// What the router has, and which prefixes are to be looked at.
#[derive(Default)]
pub(super) struct Table {
    has: HashMap<Net, Has>,
    pending: VecDeque<Net>,
    is_pending: HashSet<Net>,
    texts: HashSet<Arc<str>>,
    /// What the source has and the router cannot hold, and why.
    odd: HashMap<Net, &'static str>,
}

impl Table {
    /// The router's routes of this feed that are known, and those that cannot be held.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.has.len(), self.odd.len())
    }

    /// Whether there is nothing to send.
    pub(super) fn is_done(&self) -> bool {
        self.pending.is_empty()
    }

    /// Begins with what the router has, in the lines of its answer; all of it is old.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// The router has this route, of an earlier time.
    pub(super) fn add_old(&mut self, net: Net, text: &str) {
        let text = self.text(text);
        self.has.insert(net, Has { text, is_old: true });
    }

    /// A prefix is to be looked at: the source has said something of it.
    pub(super) fn touch(&mut self, net: Net) {
        if let Some(has) = self.has.get_mut(&net) {
            has.is_old = false;
        }
        if self.is_pending.insert(net) {
            self.pending.push_back(net);
        }
    }

    /// The source has said all: what is old goes, unless it has said it.
    pub(super) fn sweep(&mut self) {
        let old: Vec<Net> = self.has.iter().filter(|(_, has)| has.is_old).map(|(net, _)| *net).collect();
        old.into_iter().for_each(|net| self.touch(net));
    }

    /// All that the router has is to be looked at.
    pub(super) fn touch_all(&mut self) {
        let all: Vec<Net> = self.has.keys().copied().collect();
        all.into_iter().for_each(|net| self.touch(net));
    }

    /// The next changes; those that the router cannot hold are told to `odd` where that is new.
    pub(super) fn next_batch(
        &mut self,
        rib: &mut Rib,
        places: &Places,
        mut odd: impl FnMut(Net, &'static str),
    ) -> Vec<Change> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH
            && let Some(net) = self.pending.pop_front()
        {
            self.is_pending.remove(&net);
            let wanted = match rib.answer(net, places) {
                Answer::Way(text) => Some(text),
                Answer::Nothing => None,
                Answer::Odd(why) => {
                    if self.odd.insert(net, why) != Some(why) {
                        odd(net, why);
                    }
                    // Where a route went elsewhere, and nobody knows how, the old way is wrong in any case.
                    batch.extend(self.has.contains_key(&net).then_some(Change { net, to: None }));
                    continue;
                }
            };
            self.odd.remove(&net);
            if self.has.get(&net).map(|has| &has.text) != wanted.as_ref() {
                batch.push(Change { net, to: wanted });
            }
        }
        batch
    }

    /// The router has made a change.
    pub(super) fn made(&mut self, change: &Change) {
        match &change.to {
            Some(text) => {
                let text = self.text(text);
                self.has.insert(change.net, Has { text, is_old: false });
            }
            None => drop(self.has.remove(&change.net)),
        }
    }

    /// The router has refused a change: what is to be done instead. A route that is not as it should be does not stay.
    pub(super) fn refused(&mut self, change: &Change) -> Option<Change> {
        let had = self.has.remove(&change.net);
        let other = Change { net: change.net, to: None };
        had.filter(|_| change.to.is_some()).map(|has| {
            self.has.insert(change.net, has);
            other
        })
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        if self.texts.len() >= MOST_TEXTS {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod test {
    use super::super::args::From;
    use super::*;
    use perigee_machine::netlink::routes::{Behind, Hop, News, Object, Others, Route};

    fn route(net: &str, behind: Behind) -> Route {
        let (net, table) = (net.parse().unwrap(), 254);
        Route { net, table, metric: 0, tos: 0, is_of_interface: false, is_forwarding: true, behind }
    }

    fn via(gateway: &str) -> Behind {
        Behind::Hops(vec![Hop { gateway: gateway.parse().ok(), interface: 0, weight: 1, is_dead: false }])
    }

    fn places() -> Places {
        let mut places = Places::default();
        places.set_links("1 mac 02:00:00:00:00:11 mtu 1400 10.0.1.1/24 fe80::11");
        places
    }

    /// The lines of the next batch, all of which the router makes.
    fn batch(table: &mut Table, rib: &mut Rib) -> String {
        let batch = table.next_batch(rib, &places(), |_, _| {});
        batch.iter().for_each(|change| table.made(change));
        batch.iter().map(Change::line).collect()
    }

    #[test]
    fn only_differences_are_sent() {
        let (mut table, mut rib) = (Table::default(), Rib::new(From::Fpm, 254));
        table.add_old("20.0.0.0/8".parse().unwrap(), "via 10.0.1.2 dev 1");
        table.add_old("21.0.0.0/8".parse().unwrap(), "via 10.0.1.2 dev 1");
        table.add_old("22.0.0.0/8".parse().unwrap(), "blackhole");
        for (net, behind) in [("20.0.0.0/8", via("10.0.1.2")), ("21.0.0.0/8", via("10.0.1.3"))] {
            rib.hear(News::Came(route(net, behind), Others::Replaced));
            table.touch(net.parse().unwrap());
        }
        assert_eq!(batch(&mut table, &mut rib), "route replace 21.0.0.0/8 via 10.0.1.3 dev 1\n");
        // What was not said again goes when its time is over, and nothing else.
        table.sweep();
        assert_eq!(batch(&mut table, &mut rib), "route del 22.0.0.0/8\n");
        table.touch_all();
        assert_eq!(batch(&mut table, &mut rib), "");
        assert!(table.is_done());
    }

    #[test]
    fn a_route_that_cannot_be_held_does_not_stay_as_it_was() {
        let (mut table, mut rib) = (Table::default(), Rib::new(From::Fpm, 254));
        let net: Net = "20.0.0.0/8".parse().unwrap();
        rib.hear(News::Came(route("20.0.0.0/8", via("10.0.1.2")), Others::Replaced));
        table.touch(net);
        assert_eq!(batch(&mut table, &mut rib), "route replace 20.0.0.0/8 via 10.0.1.2 dev 1\n");
        rib.hear(News::Came(route("20.0.0.0/8", via("192.0.2.1")), Others::Replaced));
        table.touch(net);
        assert_eq!(batch(&mut table, &mut rib), "route del 20.0.0.0/8\n");
        assert_eq!(table.counts(), (0, 1));
        // The router refuses another way: what it had goes, too.
        rib.hear(News::Came(route("20.0.0.0/8", via("10.0.1.2")), Others::Replaced));
        table.touch(net);
        batch(&mut table, &mut rib);
        let change = Change { net, to: Some("via 10.0.1.9 dev 1".into()) };
        assert_eq!(table.refused(&change), Some(Change { net, to: None }));
    }

    /// As dplane_fpm_nl tells it: a group before one of its members.
    #[test]
    fn objects_may_come_in_any_order() {
        let (mut table, mut rib) = (Table::default(), Rib::new(From::Fpm, 254));
        let hop =
            |gateway: &str| Object::Hop(Hop { gateway: gateway.parse().ok(), interface: 0, weight: 1, is_dead: false });
        rib.hear(News::Object(21, Some(Object::Group(vec![(20, 1), (22, 1)]))));
        rib.hear(News::Object(20, Some(hop("10.0.1.2"))));
        rib.hear(News::Came(route("20.0.0.0/8", Behind::Object(21)), Others::Replaced));
        table.touch("20.0.0.0/8".parse().unwrap());
        assert_eq!((batch(&mut table, &mut rib).as_str(), table.counts()), ("", (0, 1)));
        rib.hear(News::Object(22, Some(hop("10.0.1.3"))));
        rib.nets_of_objects().collect::<Vec<_>>().into_iter().for_each(|net| table.touch(net));
        assert_eq!(batch(&mut table, &mut rib), "route replace 20.0.0.0/8 via 10.0.1.2 dev 1 via 10.0.1.3 dev 1\n");
        assert_eq!(table.counts(), (1, 0));
    }
}
