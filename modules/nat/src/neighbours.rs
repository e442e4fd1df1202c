//! The MAC addresses of neighbours on both sides (ARP, RFC 826).

use crate::link::Place;
use core::net::Ipv4Addr;
use perigee_guest::state::{FlowLimits, FlowTable, MILLISECOND, NoMemory, SECOND};
use perigee_guest::wire::Mac;
use perigee_guest::{Buffer, Refusal};

/// Neighbours that are known at a time, and for how long.
const MOST: u32 = 4_096;
const IDLE: u64 = 600 * SECOND;
/// Between two questions for one neighbour that is not known.
const ASK_AGAIN: u64 = 250 * MILLISECOND;
/// A neighbour that is known is asked again after so long, so that one that has moved is found.
const REFRESH: u64 = 60 * SECOND;

#[derive(Clone, Copy)]
struct Neighbour {
    mac: Option<Mac>,
    /// When it was last asked for, or has answered.
    at: u64,
}

/// What is known of a neighbour.
pub(crate) struct Found {
    pub(crate) mac: Option<Mac>,
    /// It is time to ask for it.
    pub(crate) ask: bool,
}

/// All neighbours.
pub(crate) struct Neighbours(FlowTable<(Place, Ipv4Addr), Neighbour>);

impl Neighbours {
    pub(crate) fn new(seed: u64) -> Result<Self, NoMemory> {
        FlowTable::new(FlowLimits::new(MOST, seed).idle(IDLE)).map(Self)
    }

    /// Whether a neighbour has told its MAC address.
    pub(crate) fn is_known(&self, place: Place, address: Ipv4Addr) -> bool {
        self.0.get(&(place, address)).is_some_and(|neighbour| neighbour.mac.is_some())
    }

    /// Whether a neighbour is known or was asked for.
    pub(crate) fn is_wanted(&self, place: Place, address: Ipv4Addr) -> bool {
        self.0.get(&(place, address)).is_some()
    }

    /// Notes a neighbour's MAC address.
    pub(crate) fn learn(&mut self, place: Place, address: Ipv4Addr, mac: Mac, now: u64) {
        self.put((place, address), Neighbour { mac: Some(mac), at: now }, now);
    }

    fn put(&mut self, key: (Place, Ipv4Addr), learnt: Neighbour, now: u64) {
        if let Some(found) = self.0.find_or_insert(key, now, || learnt) {
            *found.value = learnt;
        }
    }

    /// Looks a neighbour up to send to it.
    pub(crate) fn find(&mut self, place: Place, address: Ipv4Addr, now: u64) -> Found {
        let Some(found) = self.0.find_or_insert((place, address), now, || Neighbour { mac: None, at: 0 }) else {
            return Found { mac: None, ask: false };
        };
        let wait = match (found.is_new, found.value.mac) {
            (true, _) => 0,
            (false, None) => ASK_AGAIN,
            (false, Some(_)) => REFRESH,
        };
        let ask = now.saturating_sub(found.value.at) >= wait;
        if ask {
            found.value.at = now;
        }
        Found { mac: found.value.mac, ask }
    }

    /// Forgets neighbours that nobody has sent to for long.
    pub(crate) fn expire(&mut self, now: u64) {
        self.0.expire(now, 16, |_, _| ());
    }
}

/// A neighbour, as saved: side, address, MAC address.
const SAVED: usize = 11;

/// For the next instance: who is known, so that it has to ask for nobody.
impl Neighbours {
    /// Writes their number, then each. Of nobody the number alone.
    pub(crate) fn save(all: Option<&Self>, state: &mut Buffer<'_>) -> Result<(), Refusal> {
        let known = || {
            let all = all.into_iter().flat_map(|all| all.0.iter());
            all.filter_map(|one| one.value.mac.map(|mac| (*one.key, mac)))
        };
        state.push(&u32::try_from(known().count()).unwrap_or_default().to_le_bytes())?;
        for ((place, address), mac) in known() {
            state.push(&[place as u8])?;
            state.push(&address.octets())?;
            state.push(&mac.0)?;
        }
        Ok(())
    }

    /// Reads what `save` wrote, and gives what is behind it.
    pub(crate) fn restore<'s>(all: Option<&mut Self>, state: &'s [u8], now: u64) -> Result<&'s [u8], Refusal> {
        let bad = || Refusal::new("the state is not one that this module saves");
        let (count, rest) = state.split_first_chunk().ok_or_else(bad)?;
        let len = u32::from_le_bytes(*count) as usize * SAVED;
        let (saved, rest) = rest.split_at_checked(len).ok_or_else(bad)?;
        if let Some(all) = all {
            for &[place, a, b, c, d, ref mac @ ..] in saved.as_chunks::<SAVED>().0 {
                let place = if place == 0 { Place::Inside } else { Place::Outside };
                // Nobody knows how old this is: they are asked with their next packet, or one swap after the other would put it off.
                let learnt = Neighbour { mac: Some(Mac(*mac)), at: now.saturating_sub(REFRESH) };
                all.put((place, Ipv4Addr::new(a, b, c, d)), learnt, now);
            }
        }
        Ok(rest)
    }
}
