//! The memory of a run's packets, as [`Needs`] plans it: a region for each trust domain, which the windows of its modules map,
//! and one that no window maps; and the pools in them.

use crate::parts::{Domain, Sealed};
use perigee_config::needs::{Needs, Place, PlannedPool};
use perigee_config::{Config, HugePages};
use perigee_dpdk::dma::{self, Addressing};
use perigee_dpdk::pool::Pool;
use perigee_dpdk::region::{Backing, Region};
use perigee_report::Error;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The regions and the pools in them.
pub(super) struct Memory {
    pub(super) pools: Vec<Arc<Pool>>,
    /// Of each port, by number.
    pub(super) port_pools: Vec<Arc<Pool>>,
    /// Of each placed generator, in order of placement.
    pub(super) rooms: Vec<Option<Arc<Pool>>>,
    /// In the order of [`Config::domains`].
    pub(super) domains: Vec<Domain>,
    pub(super) sealed: Sealed,
}

/// The regions as they are filled. Pools are dropped before what they lie in.
struct Regions {
    room: usize,
    pools: Vec<Arc<Pool>>,
    by_place: BTreeMap<Place, Region>,
}

impl Regions {
    fn new(needs: &Needs, backing: Backing) -> Result<Self, Error> {
        let region = |(place, bytes)| Ok((place, Region::new(bytes, backing)?));
        let regions = needs.regions().into_iter().map(region);
        Ok(Self { room: needs.room, pools: Vec::new(), by_place: regions.collect::<Result<_, Error>>()? })
    }

    fn pool(&mut self, planned: &PlannedPool) -> Result<Arc<Pool>, Error> {
        let missing = || Error::Memory(format!("pool {} has no region", planned.label));
        let region = self.by_place.get_mut(&planned.place).ok_or_else(missing)?;
        let pool = Arc::new(Pool::new(&planned.label, planned.rooms, self.room, region)?);
        self.pools.push(Arc::clone(&pool));
        Ok(pool)
    }
}

impl Memory {
    /// Maps what is planned, in huge pages as the configuration says, or as cards need it.
    /// A simulation takes ordinary pages, and those only that it touches: it has no time to lose to others.
    pub(super) fn new(config: &Config, needs: &Needs, is_simulated: bool) -> Result<Self, Error> {
        let for_cards = (!config.all_virtual()).then(Addressing::now);
        let huge = if for_cards == Some(Addressing::Physical) { HugePages::On } else { config.run.huge_pages };
        let huge = if is_simulated { HugePages::Off } else { huge };
        let backing = Backing { huge, for_cards: for_cards.is_some(), at_once: !is_simulated };
        let mut regions = Regions::new(needs, backing)?;
        let port_pools = needs.ports.iter().map(|pool| regions.pool(pool)).collect::<Result<Vec<_>, _>>()?;
        let mut rooms = Vec::new();
        for generator in &needs.generators {
            rooms.push(generator.as_ref().map(|pool| regions.pool(pool)).transpose()?);
        }
        let copies = needs.copies.iter().map(|pool| regions.pool(pool)).collect::<Result<Vec<_>, _>>()?;
        let checked = needs.checked.as_ref().map(|pool| regions.pool(pool)).transpose()?;
        let Regions { mut by_place, pools, .. } = regions;
        if let Some(addressing) = for_cards {
            pools.iter().try_for_each(|pool| dma::check(pool, addressing)).map_err(Error::Memory)?;
        }
        let sealed = Sealed { checked, region: by_place.remove(&None).map(Arc::new) };
        // In order of their numbers: what is left are the domains', each of which has a pool of copies.
        let domains = config.domains().into_iter().zip(copies).zip(by_place.into_values());
        let domain = |((name, copies), region): ((&str, _), _)| Domain {
            name: name.to_owned(),
            copies,
            region: Arc::new(region),
        };
        let domains = domains.map(domain).collect();
        Ok(Self { pools, port_pools, rooms, domains, sealed })
    }

    /// All regions, for the ports that read them.
    pub(super) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.domains.iter().map(|domain| &*domain.region).chain(self.sealed.region.as_deref())
    }
}
