//! Several lcores: fast instances, and a slow one to which they hand what they cannot do, and which tells them all it knows.
//!
//! Routes lie in the slow one's region, in which the fast ones look them up while they change. Neighbours are told. A fast instance
//! that has missed something knows it by the next version, hands every packet to the slow one from then on, and is told all neighbours
//! again: it is never wrong, only slow for a while.

mod follow;
mod lead;
mod record;

use crate::config::Config;
use crate::fast::Reason;
use crate::{Router, Tables};
use core::fmt::Write as _;
pub(crate) use follow::Follower;
pub(crate) use lead::Leader;
use perigee_guest::serde::{self, Deserialize};
use perigee_guest::{Buffer, Refusal, Setup, Untold, tell};

/// What an instance does.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "serde", rename_all = "kebab-case")]
pub(crate) enum Role {
    /// All of it, alone.
    #[default]
    Both,
    /// It looks up, rewrites and sends.
    Fast,
    /// It does the rest, and tells the fast ones.
    Slow,
}

/// An instance among others.
pub(crate) enum Share {
    Alone,
    Fast(Follower),
    Slow(Leader),
}

/// Which state of the tables it is: of one life of what the slow instance knows, and after so many changes of routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) epoch: u64,
    pub(crate) number: u64,
}

/// The mark of a packet on its way to the slow instance: this, and why it goes there.
const MARK: u32 = 0x5254_0000;

/// Why a packet goes to the slow instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Why {
    /// The fast one has not been told the tables yet.
    Behind = 1,
    Arp,
    Local,
    Options,
    Expired,
    NoRoute,
    Unreachable,
    BeyondScope,
    TooBig,
    /// It does not know the neighbour.
    Unresolved,
}

impl Why {
    /// Nothing: it is dropped where it is.
    fn of(reason: Reason) -> Option<Self> {
        Some(match reason {
            Reason::Drop(_) => return None,
            Reason::Arp => Self::Arp,
            Reason::Local4 | Reason::Local6 => Self::Local,
            Reason::Options(_) => Self::Options,
            Reason::Expired => Self::Expired,
            Reason::NoRoute => Self::NoRoute,
            Reason::Unreachable => Self::Unreachable,
            Reason::BeyondScope => Self::BeyondScope,
            Reason::TooBig(..) => Self::TooBig,
            Reason::Unresolved(_) => Self::Unresolved,
        })
    }

    pub(crate) const fn mark(self) -> u32 {
        MARK | self as u32
    }
}

impl Share {
    /// `reads`: the tables are another instance's.
    pub(crate) fn new(config: &Config, setup: &Setup<'_>, reads: bool) -> Result<Self, Refusal> {
        let (role, ring) = (config.role, config.ring);
        let (_, instances) = setup.instance();
        let has_lines = config.routes.iter().next().is_some() || config.neighbours.iter().next().is_some();
        // In `init` nobody is told anything, but whether somebody could be.
        let is_granted = || tell(0, &[]) != Err(Untold::NotGranted);
        let why = match role {
            Role::Fast if ring.is_none_or(|ring| u32::from(ring) >= setup.ring_count()) => {
                "ring: a fast instance hands over by a ring: its number, from 0 in the order of [[ring]], and its name in grants.rings"
            }
            Role::Fast if has_lines => "routes, neighbours: the slow instance has them, for the fast ones as well",
            Role::Fast if !reads => {
                "role: a fast instance looks up in the routes of the slow one: grants = { state_of = \"NAME of its module\" }"
            }
            Role::Both | Role::Slow if reads => {
                "role: an instance that reads another's routes (grants.state_of) is one of role = \"fast\""
            }
            Role::Both | Role::Slow if ring.is_some() => "ring: only an instance of role = \"fast\" hands packets over",
            Role::Both if instances > 1 => {
                "role: instances on several lcores know each other's neighbours only as role = \"fast\", beside one of role = \"slow\""
            }
            Role::Slow if instances > 1 => "role: there is one slow instance: give its chain one lcore",
            Role::Slow if !is_granted() => {
                "role: a slow instance tells the fast ones what it learns: grants = { tell = [\"NAME of their module\"] }"
            }
            Role::Both => return Ok(Self::Alone),
            Role::Fast => return Ok(Self::Fast(Follower::new(ring.unwrap_or_default()))),
            Role::Slow => return Ok(Self::Slow(Leader::new(setup.now_ns())?)),
        };
        Err(Refusal::new(why))
    }

    pub(crate) const fn is_fast(&self) -> bool {
        matches!(self, Self::Fast(_))
    }

    pub(crate) const fn is_slow(&self) -> bool {
        matches!(self, Self::Slow(_))
    }

    /// Only who leads may be told changes of routes.
    pub(crate) fn check_leads(&self) -> Result<(), Refusal> {
        if self.is_fast() {
            return Err(Refusal::new("this instance is told its routes by the slow one: send changes there"));
        }
        Ok(())
    }

    /// Routes have changed.
    pub(crate) fn count_change(&mut self, tables: &mut Tables) {
        if let Self::Slow(leader) = self {
            leader.version.number += 1;
            tables.fib.set_changes(leader.version.number);
        }
    }
}

/// Whether a message is one that the slow instance sends: no text begins so.
pub(crate) fn is_told(message: &[u8]) -> bool {
    message.first().is_some_and(|first| *first >= record::FIRST)
}

/// `version?`: which state of the tables the instance has reached.
pub(crate) fn show_version(router: &Router, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let version = match &router.share {
        Share::Alone => {
            return Err(Refusal::new("an instance that does all alone has no version: its routes are what they are"));
        }
        Share::Fast(follower) => follower.reached(&router.tables),
        Share::Slow(leader) => Some(leader.version),
    };
    let written = match version {
        Some(Version { epoch, number }) => writeln!(reply, "change {number} of life {epoch}"),
        None => reply.write_str("behind: its packets go to the slow instance until it has been told the tables\n"),
    };
    written.map_err(|_| perigee_guest::Full.into())
}

/// Takes in what the slow instance tells.
pub(crate) fn hear(router: &mut Router, message: &[u8]) -> Result<(), Refusal> {
    let Share::Fast(follower) = &mut router.share else {
        return Err(Refusal::new("only an instance of role = \"fast\" is told such things"));
    };
    follower.hear(&mut router.tables, message, router.now)
}
