//! Where in a run the points of captures are.

use super::{LaneInfo, PlaceInfo};
use crate::parts::Parts;
use perigee_config::capture::{POINTS, Point, Way};
use perigee_config::{Config, Source, closest};
use perigee_datapath::recorder::Spot;

/// A place in a chain on an lcore at which packets are recorded.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) place: usize,
    /// Position of the chain among the placed ones.
    pub(super) chain: usize,
    pub(super) spot: Spot,
}

impl Lane {
    pub(super) fn info(&self, parts: &Parts) -> LaneInfo {
        let chain = &parts.placed[self.chain];
        LaneInfo { place: self.place, chain: chain.name.clone(), lcore: chain.lcore }
    }
}

/// Where in a run points are.
pub(super) fn resolve(parts: &Parts, config: &Config, at: &[String]) -> Result<(Vec<PlaceInfo>, Vec<Lane>), String> {
    let (mut places, mut lanes) = (Vec::new(), Vec::new());
    if at.is_empty() {
        return Err(format!("say where: {POINTS}"));
    }
    for text in at {
        let mut found = Found { parts, config, places: &mut places, lanes: &mut lanes };
        found.add(&Point::parse(text)?).map_err(|what| format!("{text:?}: {what}"))?;
    }
    Ok((places, lanes))
}

struct Found<'a> {
    parts: &'a Parts,
    config: &'a Config,
    places: &'a mut Vec<PlaceInfo>,
    lanes: &'a mut Vec<Lane>,
}

impl Found<'_> {
    fn add(&mut self, point: &Point<'_>) -> Result<(), String> {
        match *point {
            Point::Port(name, way) => self.port(name, way),
            Point::Rx(name) => {
                if matches!(self.chain(name)?.source, Source::Module { .. }) {
                    return Err("its packets are made by its first module: take after:0, or tx".to_owned());
                }
                self.in_chain(name, format!("{name}:rx"), Way::In, |_| Ok(Spot::Rx))
            }
            Point::Tx(name) => self.in_chain(name, format!("{name}:tx"), Way::Out, |_| Ok(Spot::Tx)),
            Point::Drops(name) => self.in_chain(name, format!("{name}:drops"), Way::Within, |_| Ok(Spot::Drops)),
            Point::Before(name, stage) => {
                let parts = self.parts;
                let spot = |chain| {
                    stage_of(parts, chain, stage).and_then(|(seat, makes)| {
                        if makes {
                            return Err("it makes the packets: there are none before it".to_owned());
                        }
                        Ok(Spot::Before(seat))
                    })
                };
                self.in_chain(name, format!("{name}:before:{stage}"), Way::Within, spot)
            }
            Point::After(name, stage) => {
                let parts = self.parts;
                let spot = |chain| stage_of(parts, chain, stage).map(|(seat, _)| Spot::After(seat));
                self.in_chain(name, format!("{name}:after:{stage}"), Way::Within, spot)
            }
        }
    }

    fn chain(&self, name: &str) -> Result<&perigee_config::Chain, String> {
        let names = || self.config.chains.iter().map(|chain| chain.name.as_str());
        self.config.chains.iter().find(|chain| chain.name == name).ok_or_else(|| no_such("chain", name, names()))
    }

    fn in_chain(
        &mut self,
        name: &str,
        shown: String,
        way: Way,
        spot: impl Fn(usize) -> Result<Spot, String>,
    ) -> Result<(), String> {
        self.chain(name)?;
        let chains = self.parts.placed.iter().enumerate().filter(|(_, chain)| chain.name == name).map(|(i, _)| i);
        let spots = chains.map(|chain| Ok((chain, spot(chain)?))).collect::<Result<Vec<_>, String>>()?;
        self.put(PlaceInfo { name: shown, way, port: None }, spots)
    }

    fn port(&mut self, name: &str, way: Option<Way>) -> Result<(), String> {
        let names = || self.config.ports.iter().map(|port| port.name.as_str());
        let number = self.config.port(name).ok_or_else(|| no_such("port", name, names()))?;
        let placed = || self.parts.placed.iter().enumerate();
        let rx: Vec<_> = placed().filter(|(_, c)| c.port == Some(number)).map(|(i, _)| (i, Spot::PortRx)).collect();
        let own = self.parts.ports[number].facts().number;
        let tx: Vec<_> = placed().filter(|(_, c)| c.may_tx(number)).map(|(i, _)| (i, Spot::PortTx(own))).collect();
        let mut any = false;
        for (wanted, end, spots) in [(Way::In, "rx", rx), (Way::Out, "tx", tx)] {
            if way.is_none_or(|way| way == wanted) && !spots.is_empty() {
                any = true;
                let place = PlaceInfo { name: format!("port:{name}:{end}"), way: wanted, port: Some(name.to_owned()) };
                self.put(place, spots)?;
            }
        }
        if any { Ok(()) } else { Err("no chain has packets of that port in this direction".to_owned()) }
    }

    fn put(&mut self, place: PlaceInfo, spots: Vec<(usize, Spot)>) -> Result<(), String> {
        if self.places.contains(&place) {
            return Err(format!("{} is asked for twice", place.name));
        }
        let number = self.places.len();
        self.places.push(place);
        self.lanes.extend(spots.into_iter().map(|(chain, spot)| Lane { place: number, chain, spot }));
        Ok(())
    }
}

/// The seat of a chain's stage, by name or number; and whether it makes packets.
fn stage_of(parts: &Parts, chain: usize, stage: &str) -> Result<(u64, bool), String> {
    let seats = parts.seats.of_chain(chain);
    let named: Vec<_> = seats.iter().filter(|seat| seat.module == stage).collect();
    let by_number = || stage.parse().ok().and_then(|number: usize| seats.get(number));
    match named[..] {
        [seat] => Ok((seat.number, seat.generates)),
        [] => match by_number() {
            Some(seat) => Ok((seat.number, seat.generates)),
            None => Err(no_such("stage", stage, seats.iter().map(|seat| seat.module.as_str()))),
        },
        _ => Err(format!("the chain has {} stages of this name: say which by its number, from 0 on", named.len())),
    }
}

fn no_such<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let guess = closest(name, known.iter().copied()).map(|guess| format!("; did you mean {guess:?}?"));
    let all = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("there is no {what} {name:?} (there are: {all}){}", guess.unwrap_or_default())
}
