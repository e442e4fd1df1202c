//! The tables as the next instance finds them: the memory as it is, with another instance's code around it.

use super::*;
use crate::config::{Config, Rules};
use crate::log::Log;
use crate::rewrite::Ip;
use crate::session::Engine;
use crate::table::{Layout, Memory, Sizes};
use perigee_guest::{Batch, Lcg64, Module, Refusal, Setup};

/// What an engine is made of, from a configuration.
struct Parts {
    rules: Rules,
    layout: Layout,
    memory: Memory,
    log: Log,
    shape: u64,
}

impl Module for Parts {
    fn init(setup: &Setup<'_>) -> Result<Self, Refusal> {
        let config: Config = setup.json()?;
        let rules = Rules::new(&config, setup)?;
        let sizes = Sizes { sessions: config.sessions, hosts: config.hosts, addresses: rules.pool.len() };
        let layout = Layout::new(sizes);
        let parts = Self {
            shape: rules.shape(sizes),
            memory: layout.memory(setup)?,
            layout,
            log: Log::new(None, setup)?,
            rules,
        };
        // The test host hands an instance out by nothing but its callbacks, so this is where the test is.
        check(parts);
        Err(Refusal::new("done"))
    }

    fn process(&mut self, _: &mut Batch<'_>) {}
}

fn through(parts: &mut Parts, frame: &[u8]) -> String {
    let mut random = Lcg64::new(1);
    let tables = parts.memory.tables(&parts.layout).unwrap();
    let mut engine = Engine { tables, rules: &parts.rules, random: &mut random, log: &mut parts.log, now: 5 };
    let mut packet = frame[14..].to_vec();
    let ip = Ip::read(&packet).unwrap();
    match engine.translate(&mut packet, &ip) {
        Ok(_) => ends(&packet),
        Err(why) => format!("{why:?}"),
    }
}

fn check(mut old: Parts) {
    old.memory.tables(&old.layout).unwrap().head.seed = 99;
    let mut owns = Vec::new();
    for n in 1..=200 {
        let told = through(&mut old, &udp(&format!("10.0.0.{n}:5000"), "192.0.2.1:53"));
        owns.push(told.split(" > ").next().unwrap().to_owned());
    }
    let Memory::Heap(words) = &old.memory else { panic!("natively there is no region") };
    let mut new = Parts { memory: Memory::Heap(words.clone()), ..old };
    for (n, own) in (1..=200).zip(&owns) {
        assert_eq!(through(&mut new, &udp("192.0.2.1:53", own)), format!("192.0.2.1:53 > 10.0.0.{n}:5000"));
    }
    // Memory that was damaged does not bring it down.
    let Memory::Heap(words) = &mut new.memory else { unreachable!() };
    let mut random = Lcg64::new(7);
    for word in words.iter_mut() {
        if random.below(4) == 0 {
            *word = random.next_u64() >> random.below(64);
        }
    }
    for n in 1..=200 {
        through(&mut new, &udp(&format!("10.0.0.{n}:5000"), "192.0.2.1:53"));
        through(&mut new, &udp("192.0.2.1:53", &owns[n - 1]));
    }
    assert_ne!(new.shape, 0);
}

#[test]
fn the_tables_are_taken_over_as_they_are() {
    let config = config(r#""sessions": 1000, "hosts": 500, "filtering": "address-dependent""#);
    assert_eq!(Host::<Parts>::start(&config).map(|_| ()), Err("done".to_owned()));
}

#[test]
fn a_table_of_another_shape_is_refused() {
    let mut old = start("");
    let state = old.save().unwrap();
    let mut new = start("");
    assert_eq!(new.restore(&state), Ok(()));
    for cut in 0..state.len() {
        assert_eq!(new.restore(&state[..cut]).is_err(), cut >= 4, "{cut}");
    }
}
