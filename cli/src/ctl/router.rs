//! `perigee ctl routes` and `ctl neighbours`: the tables of a router module, by its messages (modules/router/README.md), page by page.

use crate::client::{Client, Request};
use crate::output;
use crate::table::Table;
use anyhow::{Context, Result, bail};
use perigee_machine::netlink::routes::Net;
use perigee_runtime::text;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::IpAddr;

/// Rows that are shown together: what is longer comes in several tables.
const ROWS: usize = 4_096;
/// A page that leads to itself would be asked for without end.
const MOST_PAGES: usize = 1 << 20;

/// A route, as the router says it.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    net: String,
    /// Its next hops, or what it does else.
    ways: Vec<Way>,
    feed: Option<String>,
    is_stale: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Way {
    Via(String, u16),
    Other(String),
}

/// Neighbours' states, by port and address.
type States = HashMap<(u16, String), String>;

/// What is asked of a router: which routes.
enum Asked {
    All,
    /// This prefix, and those inside it.
    Inside(Net),
    /// The one that a packet to it takes.
    To(IpAddr),
}

/// `perigee ctl routes`.
pub(super) fn routes(client: &Client, module: &str, of: Option<&str>, is_json: bool) -> Result<()> {
    let asked = asked(of)?;
    let states = states(client, module)?;
    let batches = batches(client, module)?;
    let mut all = Vec::new();
    let show = |routes: &mut Vec<Route>, is_last: bool| -> Result<()> {
        if is_json || routes.len() < ROWS && !is_last {
            return Ok(());
        }
        output::result(&text::lines(&table(routes, &states)))?;
        routes.clear();
        Ok(())
    };
    if let Asked::To(address) = asked {
        let told = ask(client, module, format!("route? {address}"))?;
        let line = told.lines().next().unwrap_or_default();
        let Some(line) = line.strip_prefix(&format!("{address}: ")).filter(|line| *line != "no route") else {
            bail!("{module}: there is no route to {address}");
        };
        all.extend(route(line));
    } else {
        let first = match &asked {
            Asked::Inside(net) => format!("routes? {net}"),
            _ => "routes?".to_owned(),
        };
        pages(client, module, first, |line| {
            let Some(route) = route(line) else { return Ok(true) };
            if let Asked::Inside(net) = &asked {
                match route.net.parse::<Net>() {
                    Ok(inner) if inner.len >= net.len && net.contains(inner.address) => {}
                    _ => return Ok(false),
                }
            }
            all.push(route);
            show(&mut all, false).map(|()| true)
        })?;
    }
    if is_json {
        let routes: Vec<Value> = all.iter().map(|route| json_of(route, &states)).collect();
        return output::result(&text::json(&format!("{:#}\n", json!({ "routes": routes, "batches": batches }))));
    }
    show(&mut all, true)?;
    output::result(&text::lines(&reached(&batches)))
}

/// `perigee ctl neighbours`.
pub(super) fn neighbours(client: &Client, module: &str, is_json: bool) -> Result<()> {
    let mut all = Vec::new();
    pages(client, module, "neighbours?".to_owned(), |line| {
        let words: Vec<&str> = line.split(' ').collect();
        if let [address, "dev", port, "lladdr", mac, state, "used", idle, "ago"] = words.as_slice() {
            all.push([*port, address, mac, state, idle].map(str::to_owned));
        }
        Ok(true)
    })?;
    if is_json {
        let seconds = |idle: &str| idle.trim_end_matches('s').parse::<u64>().ok();
        let row = |[port, address, mac, state, idle]: &[String; 5]| json!({ "port": port.parse::<u16>().ok(), "address": address, "mac": mac, "state": state, "idle_s": seconds(idle) });
        let rows: Vec<Value> = all.iter().map(row).collect();
        return output::result(&text::json(&format!("{:#}\n", json!({ "neighbours": rows }))));
    }
    let mut table = Table::new(&["port", "<address", "<mac", "<state", "unused"]);
    all.into_iter().for_each(|row| table.row(row));
    output::result(&text::lines(&table.text()))
}

fn asked(of: Option<&str>) -> Result<Asked> {
    let Some(of) = of else { return Ok(Asked::All) };
    if let Ok(address) = of.parse() {
        return Ok(Asked::To(address));
    }
    match if of == "default" { "0.0.0.0/0" } else { of }.parse() {
        Ok(net) => Ok(Asked::Inside(net)),
        Err(()) => bail!(
            "{of:?} is neither an address nor a prefix: write 192.0.2.7, or 192.0.2.0/24 without bits behind its length"
        ),
    }
}

/// What each instance answers to a message.
fn ask_all(client: &Client, module: &str, message: String) -> Result<Vec<String>> {
    let request = Request::Message { module: module.to_owned(), bytes: message.into_bytes() };
    let answer = request.send(client)?;
    let texts =
        answer["answers"].as_array().into_iter().flatten().map(|answer| answer["text"].as_str().map(str::to_owned));
    texts.collect::<Option<Vec<_>>>().with_context(|| format!("{module} is no router: its answers are no text"))
}

/// What the first instance answers.
fn ask(client: &Client, module: &str, message: String) -> Result<String> {
    let answers = ask_all(client, module, message)?;
    answers.into_iter().next().with_context(|| format!("{module} has no instance"))
}

/// Shows lines of all pages to `visit`, until it has enough.
fn pages(client: &Client, module: &str, first: String, mut visit: impl FnMut(&str) -> Result<bool>) -> Result<()> {
    let mut question = first;
    for _ in 0..MOST_PAGES {
        let page = ask(client, module, question)?;
        let mut next = None;
        for line in page.lines() {
            match line.strip_prefix("more: ") {
                Some(more) => next = Some(more.to_owned()),
                None if !visit(line)? => return Ok(()),
                None => {}
            }
        }
        match next {
            Some(next) => question = next,
            None => return Ok(()),
        }
    }
    bail!("{module}: its answers lead on and on")
}

fn states(client: &Client, module: &str) -> Result<States> {
    let mut states = States::new();
    pages(client, module, "neighbours?".to_owned(), |line| {
        let words: Vec<&str> = line.split(' ').collect();
        if let [address, "dev", port, "lladdr", _, state, ..] = words.as_slice()
            && let Ok(port) = port.parse()
        {
            states.insert((port, (*address).to_owned()), (*state).to_owned());
        }
        Ok(true)
    })?;
    Ok(states)
}

/// Reads `PREFIX via ADDRESS dev PORT … [feed NAME [stale]]`.
fn route(line: &str) -> Option<Route> {
    let (net, rest) = line.split_once(' ').filter(|(net, _)| net.contains('/'))?;
    let (rest, is_stale) = rest.strip_suffix(" stale").map_or((rest, false), |rest| (rest, true));
    let (way, feed) = rest.split_once(" feed ").map_or((rest, None), |(way, feed)| (way, Some(feed.to_owned())));
    let words: Vec<&str> = way.split(' ').collect();
    let hops = words.chunks(4).map(|hop| match hop {
        ["via", address, "dev", port] => Some(Way::Via((*address).to_owned(), port.parse().ok()?)),
        _ => None,
    });
    let ways = hops.collect::<Option<Vec<_>>>().unwrap_or_else(|| vec![Way::Other(way.to_owned())]);
    Some(Route { net: net.to_owned(), ways, feed, is_stale })
}

fn state_of<'s>(states: &'s States, address: &str, port: u16) -> &'s str {
    states.get(&(port, address.to_owned())).map_or("unknown", String::as_str)
}

fn table(routes: &[Route], states: &States) -> String {
    let mut table = Table::new(&["<prefix", "<next hop", "port", "<state", "<feed"]);
    for route in routes {
        let feed = match (&route.feed, route.is_stale) {
            (Some(feed), true) => format!("{feed} (stale)"),
            (feed, _) => feed.clone().unwrap_or_default(),
        };
        for (index, way) in route.ways.iter().enumerate() {
            let net = if index == 0 { route.net.clone() } else { String::new() };
            let feed = if index == 0 { feed.clone() } else { String::new() };
            table.row(match way {
                Way::Via(address, port) => {
                    [net, address.clone(), port.to_string(), state_of(states, address, *port).to_owned(), feed]
                }
                Way::Other(what) => match what.split_once(' ') {
                    Some(("dev", port)) => [net, "on the link".to_owned(), port.to_owned(), String::new(), feed],
                    Some(("local", port)) => [net, "the router".to_owned(), port.to_owned(), String::new(), feed],
                    _ => [net, what.clone(), String::new(), String::new(), feed],
                },
            });
        }
    }
    table.text_unless_empty()
}

fn json_of(route: &Route, states: &States) -> Value {
    let way = |way: &Way| match way {
        Way::Via(address, port) => json!({ "via": address, "port": port, "state": state_of(states, address, *port) }),
        Way::Other(what) => match what.split_once(' ') {
            Some((kind @ ("dev" | "local"), port)) => json!({ "kind": kind, "port": port.parse::<u16>().ok() }),
            _ => json!({ "kind": what }),
        },
    };
    let ways: Vec<Value> = route.ways.iter().map(way).collect();
    json!({ "prefix": route.net, "ways": ways, "feed": route.feed, "stale": route.is_stale })
}

/// The last batches: of the operator's messages and of each feed, those that every instance has reached.
fn batches(client: &Client, module: &str) -> Result<Vec<Value>> {
    let answers = ask_all(client, module, "feeds?".to_owned())?;
    Ok(batches_of(&answers))
}

fn batches_of(answers: &[String]) -> Vec<Value> {
    let mut by_name: Vec<(Option<String>, Vec<Vec<String>>)> = Vec::new();
    for line in answers.iter().flat_map(|answer| answer.lines()) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let name = if words[0] == "feed" { words.get(1).cloned() } else { None };
        match by_name.iter_mut().find(|(known, _)| *known == name) {
            Some((_, lines)) => lines.push(words),
            None => by_name.push((name, vec![words])),
        }
    }
    let value =
        |words: &[String], key: &str| words.chunks_exact(2).find(|pair| pair[0] == key).map(|pair| pair[1].clone());
    let number = |words: &[String], key: &str| value(words, key).and_then(|value| value.parse::<u64>().ok());
    let one = |(name, lines): (Option<String>, Vec<Vec<String>>)| {
        let reached = lines.iter().map(|words| number(words, "batch").unwrap_or(0)).min().unwrap_or(0);
        // One that an instance does not know has reached nothing there.
        let reached = if lines.len() < answers.len() { 0 } else { reached };
        let first = &lines[0];
        match name {
            None => json!({ "feed": null, "batch": reached, "instances": answers.len() }),
            Some(name) => json!({
                "feed": name, "batch": reached, "instances": answers.len(), "routes": number(first, "routes"),
                "heard_s": number(first, "heard"), "stale_s": number(first, "stale"), "state": value(first, "state"),
            }),
        }
    };
    by_name.into_iter().map(one).collect()
}

fn reached(batches: &[Value]) -> String {
    let instances = batches.first().map_or(0, |batch| batch["instances"].as_u64().unwrap_or(0));
    let mut table = Table::new(&["<feed", "batch", "routes", "<state", "heard", "stale after"]);
    for batch in batches {
        let seconds = |key: &str| batch[key].as_u64().map_or(String::new(), |seconds| format!("{seconds} s"));
        let stale = if batch["stale_s"] == 0 { "never".to_owned() } else { seconds("stale_s") };
        let routes = batch["routes"].as_u64().map_or(String::new(), crate::table::count);
        let name = batch["feed"].as_str().unwrap_or("-").to_owned();
        let state = batch["state"].as_str().unwrap_or_default().to_owned();
        table.row([name, batch["batch"].to_string(), routes, state, seconds("heard_s"), stale]);
    }
    format!("last batches that each of {instances} instances has reached (-: of other messages)\n{}", table.text())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn routes_are_read() {
        let read = |line| route(line).unwrap();
        let two = read("10.0.0.0/8 via 10.0.1.2 dev 1 via fe80::1 dev 0 feed kernel stale");
        assert_eq!(two.ways, [Way::Via("10.0.1.2".to_owned(), 1), Way::Via("fe80::1".to_owned(), 0)]);
        assert_eq!((two.feed.as_deref(), two.is_stale), (Some("kernel"), true));
        assert_eq!(read("10.0.0.0/24 dev 1").ways, [Way::Other("dev 1".to_owned())]);
        assert_eq!(read("10.0.0.0/24 blackhole feed fpm").ways, [Way::Other("blackhole".to_owned())]);
        assert!(route("5 routes of IPv4, 3 of IPv6").is_none());
    }

    #[test]
    fn a_table_has_a_row_for_each_next_hop() {
        let routes = [
            route("10.0.0.0/8 via 10.0.1.2 dev 1 via 10.0.1.3 dev 1 feed kernel").unwrap(),
            route("::/0 blackhole").unwrap(),
        ];
        let states = States::from([((1, "10.0.1.2".to_owned()), "reachable".to_owned())]);
        let shown = "  prefix      next hop   port  state      feed\n  10.0.0.0/8  10.0.1.2      1  reachable  kernel\n              10.0.1.3      1  unknown\n  ::/0        blackhole\n";
        assert_eq!(table(&routes, &states), shown);
    }

    #[test]
    fn what_every_instance_has_reached_is_the_least() {
        let told = |batch| format!("batch {batch}\nfeed kernel batch {batch} routes 7 heard 1 stale 60 state alive\n");
        let more = told(5) + "feed fpm batch 9 routes 1 heard 0 stale 0 state alive\n";
        let batches = batches_of(&[told(3), more]);
        let reached: Vec<_> = batches.iter().map(|batch| batch["batch"].as_u64().unwrap()).collect();
        assert_eq!(reached, [3, 3, 0]);
    }

    #[test]
    fn an_address_is_no_prefix() {
        assert!(matches!(asked(Some("10.0.0.1")), Ok(Asked::To(_))));
        assert!(matches!(asked(Some("10.0.0.0/8")), Ok(Asked::Inside(_))));
        assert!(matches!(asked(Some("default")), Ok(Asked::Inside(Net { len: 0, .. }))));
        assert!(asked(Some("10.0.0.1/8")).is_err() && asked(Some("router")).is_err());
    }
}
