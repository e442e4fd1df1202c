//! A module's grants as its stage looks them up: by number, not by name.

use perigee_config::Config;
use perigee_config::Grants;
use perigee_dpdk::timestamp::TxMarks;

/// What the verdicts and requests of a module may name.
#[derive(Clone, Debug)]
pub struct Rights {
    /// A bit for each port.
    ports: u32,
    /// A bit for each tx queue of those that its lcore owns on a port.
    queues: u16,
    /// By number of the ring.
    rings: Box<[bool]>,
    /// It may make packets of spare rooms, and copies.
    pub create: bool,
    /// Where it may say when its packets leave.
    pub marks: Option<TxMarks>,
}

impl Rights {
    /// Finds the numbers behind the names. Names that are not in the configuration grant nothing.
    pub fn new(grants: &Grants, config: &Config) -> Self {
        let bit = |number: usize| u32::try_from(number).ok().and_then(|n| 1_u32.checked_shl(n)).unwrap_or(0);
        let ports = grants.tx.iter().filter_map(|name| config.port(name)).fold(0, |bits, port| bits | bit(port));
        let queues = grants.tx_queues.iter().filter_map(|queue| 1_u16.checked_shl((*queue).into()));
        Self {
            ports,
            // The first needs no grant: it is what a packet gets that asks for none.
            queues: queues.fold(1, |bits, queue| bits | queue),
            rings: config.rings.iter().map(|ring| grants.rings.contains(&ring.name)).collect(),
            create: grants.create,
            marks: grants.pace.then(TxMarks::get).flatten(),
        }
    }

    /// It may name this port in the verdict Tx.
    #[inline]
    pub fn tx(&self, port: u16) -> bool {
        self.ports.checked_shr(port.into()).unwrap_or(0) & 1 != 0
    }

    /// It may ask for this tx queue.
    #[inline]
    pub fn queue(&self, queue: u16) -> bool {
        self.queues.checked_shr(queue.into()).unwrap_or(0) & 1 != 0
    }

    /// It may name this ring in the verdict Ring; `None` where there is no such ring.
    #[inline]
    pub fn ring(&self, ring: u16) -> Option<bool> {
        self.rings.get(usize::from(ring)).copied()
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use perigee_config::{Port, Ring};

    #[test]
    fn names_become_numbers_and_nothing_else_is_granted() {
        let ring = |name: &str| Ring { name: name.to_owned(), size: 64, backpressure: None };
        let config = Config {
            ports: (0..32).map(|i| Port::new(&format!("p{i}"), "net_null0")).collect(),
            rings: vec![ring("r"), ring("s")],
            ..Config::default()
        };
        let grants = Grants {
            tx: vec!["p0".to_owned(), "p31".to_owned(), "nowhere".to_owned()],
            tx_queues: vec![3, 15, 16, 65_535],
            rings: vec!["s".to_owned()],
            ..Grants::default()
        };
        let rights = Rights::new(&grants, &config);
        assert_eq!((0..=u16::MAX).filter(|port| rights.tx(*port)).collect::<Vec<_>>(), [0, 31]);
        assert_eq!((0..=u16::MAX).filter(|queue| rights.queue(*queue)).collect::<Vec<_>>(), [0, 3, 15]);
        assert_eq!([0, 1, 2].map(|ring| rights.ring(ring)), [Some(false), Some(true), None]);
        let none = Rights::new(&Grants::default(), &config);
        assert!((0..=u16::MAX).all(|port| !none.tx(port)) && !none.create);
        assert!((1..=u16::MAX).all(|queue| !none.queue(queue)));
    }
}
