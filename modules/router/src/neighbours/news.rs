//! What others are told of neighbours.

use super::{Neighbours, News, State};
use crate::fib::{Place, room};
use alloc::collections::VecDeque;
use perigee_guest::state::NoMemory;
use perigee_guest::wire::Mac;

impl Neighbours {
    /// From now on others are to be told of what comes, changes and goes, and all neighbours count as used: only those others know.
    pub(crate) fn tell_of_all(&mut self) -> Result<(), NoMemory> {
        let most = 2 * self.limits.neighbours;
        self.news = Some(News { places: VecDeque::from(room(most)?), most, is_lost: false });
        self.note_all();
        Ok(())
    }

    /// When a neighbour was used last, as far as that is known.
    pub(super) fn used(&self, used: u64, now: u64) -> u64 {
        if self.news.is_some() { now } else { used }
    }

    /// Others are to be told of a neighbour.
    pub(crate) fn note(&mut self, place: Place) {
        if self.news.is_none() {
            return;
        }
        let at = self.find(place);
        if let Some(neighbour) = at.and_then(|at| self.get_mut(at))
            && core::mem::replace(&mut neighbour.is_news, true)
        {
            return;
        }
        let Some(news) = &mut self.news else { return };
        if news.places.len() < news.most {
            news.places.push_back(place);
        } else {
            news.is_lost = true;
        }
    }

    /// Others are to be told of all that can be sent to.
    pub(crate) fn note_all(&mut self) {
        for at in 0..self.all.len() {
            if !matches!(self.all[at].state, State::Free | State::Incomplete) {
                self.note(self.all[at].place);
            }
        }
    }

    /// Where those of whom others are to be told are: their addresses, where they can be sent to.
    pub(crate) fn news(&self) -> impl Iterator<Item = (Place, Option<Mac>)> {
        let places = self.news.iter().flat_map(|news| &news.places);
        places.map(|&place| (place, self.mac_of(place)))
    }

    /// The first of these were told.
    pub(crate) fn forget_news(&mut self, count: usize) {
        for _ in 0..count {
            let Some(place) = self.news.as_mut().and_then(|news| news.places.pop_front()) else { return };
            if let Some(neighbour) = self.find(place).and_then(|at| self.get_mut(at)) {
                neighbour.is_news = false;
            }
        }
    }

    /// Whether there was more to tell than could be remembered, since this was asked last.
    pub(crate) fn take_lost(&mut self) -> bool {
        self.news.as_mut().is_some_and(|news| core::mem::take(&mut news.is_lost))
    }

    /// Of whom others have not been told yet.
    pub(crate) fn untold(&self) -> alloc::vec::Vec<Place> {
        self.news().map(|(place, _)| place).collect()
    }

    /// Takes all out.
    pub(crate) fn clear(&mut self) {
        for at in 0..self.all.len() {
            self.remove(u32::try_from(at).unwrap_or(u32::MAX));
        }
    }

    /// Where a neighbour is, if it can be sent to.
    pub(crate) fn mac_of(&self, place: Place) -> Option<Mac> {
        let neighbour = self.get(self.find(place)?)?;
        (!matches!(neighbour.state, State::Free | State::Incomplete)).then_some(neighbour.mac)
    }
}
