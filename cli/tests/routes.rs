//! `perigee routes` and `ctl routes` against the real kernel: what `ip` does while packets flow is in the router's table.

use crate::lab::{Job, Lab, Mode, Namespace, Perigee, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The file of a module, where the lab's processes can read it.
fn module(lab: &Lab, name: &str) -> String {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/modules");
    lab.reachable(&modules.join(format!("{name}.wasm"))).display().to_string()
}

/// A router of which one link is a ring, on which packets come, and the other one takes all.
fn config(lab: &Lab) -> String {
    let control = lab.path("control");
    format!(
        r#"
[run]
control = "{}"
tick = "1ms"
[[port]]
name = "wire"
device = "net_ring0"
pool = 1023
[[port]]
name = "out"
device = "net_null0,no-rx=1"
pool = 1023
[[module]]
name = "load"
file = "{}"
grants = {{ hostcalls = ["log", "counter"], packets_per_second = "20k" }}
[module.config]
packet = """
020000000001 020000000099 0800
45 00 0022 0000 0000 40 11 0000 0a4d0009 14000001
0400 0009 000e 0000 706572696765
"""
fill = "always"
vary = [{{ field = "ipv4.destination", draw = "random", from = "20.0.0.0", to = "20.0.255.255" }}]
[[module]]
name = "router"
file = "{}"
grants = {{ tx = ["wire", "out"], create = true, hold = 256, hostcalls = ["log", "counter", "time"] }}
[module.config]
interfaces = [
    {{ port = 0, addresses = ["10.77.0.1/24", "fd77:0:0:a::1/64"], mac = "02:00:00:00:00:01" }},
    {{ port = 1, addresses = ["10.77.1.1/24", "fd77:0:0:b::1/64"], mac = "02:00:00:00:00:02" }},
]
neighbours = ["10.77.1.2 lladdr 02:00:00:00:00:b1 dev 1", "10.77.1.3 lladdr 02:00:00:00:00:b2 dev 1"]
routes = ["20.0.0.0/8 via 10.77.1.2", "30.0.0.0/8 blackhole"]
[[chain]]
name = "load"
source = {{ module = "load", pool = 1023 }}
tx = ["wire"]
when_full = "wait"
[[chain]]
name = "router"
source = {{ port = "wire" }}
stages = ["router"]
tx = ["out", "wire"]
"#,
        control.display(),
        module(lab, "stream-gen"),
        module(lab, "router"),
    )
}

/// A router with packets, in a namespace with whose kernel it shares its links.
pub(crate) struct Bench<'lab> {
    pub(crate) host: Namespace<'lab>,
    lab: &'lab Lab,
    pub(crate) run: Perigee,
}

impl<'lab> Bench<'lab> {
    /// A run, in a namespace whose kernel has the router's links.
    pub(crate) fn start(lab: &'lab Lab) -> Self {
        let host = lab.namespace();
        for (number, name) in ["a", "b"].iter().enumerate() {
            host.ip(&format!("link add e{number} type veth peer name far{number}"));
            for end in ["e", "far"] {
                host.set(&format!("net/ipv6/conf/{end}{number}/disable_ipv6"), "0");
                host.set(&format!("net/ipv6/conf/{end}{number}/router_solicitations"), "0");
                host.up(&format!("{end}{number}"));
            }
            host.ip(&format!("addr add 10.77.{number}.1/24 dev e{number}"));
            host.ip(&format!("-6 addr add fd77:0:0:{name}::1/64 dev e{number} nodad"));
        }
        let mut run = Perigee::start(&host, "run", &config(lab));
        run.wait_until_running();
        Self { host, lab, run }
    }

    fn perigee(&self, arguments: &[&str]) -> std::process::Command {
        let binary = self.lab.reachable(Path::new(env!("CARGO_BIN_EXE_perigee")));
        let mut command = self.host.command(&binary.to_string_lossy());
        command.args(arguments).arg("--socket").arg(self.lab.path("control"));
        command
    }

    /// A module's file, as the run has it.
    pub(crate) fn module(&self, name: &str) -> String {
        module(self.lab, name)
    }

    /// Starts `perigee routes` to it.
    pub(crate) fn feed(&self, arguments: &[&str]) -> Job {
        let all =
            [&["--log", "info", "routes", "--to", "router", "--map", "e0=0", "--map", "e1=1", "--json"], arguments]
                .concat();
        self.host.start_command(self.perigee(&all))
    }

    /// What `ctl` prints, which must go well.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let all = [&["ctl"], arguments].concat();
        self.host.start_command(self.perigee(&all)).wait(LIMIT).expect_success()
    }

    /// The router's routes of the kernel's feed.
    pub(crate) fn routes(&self) -> BTreeMap<String, String> {
        self.routes_of("kernel")
    }

    /// The router's routes of a feed, with what is behind them, as `via ADDRESS …`.
    pub(crate) fn routes_of(&self, feed: &str) -> BTreeMap<String, String> {
        let all: Value = serde_json::from_str(&self.ctl(&["routes", "router", "--json"])).expect("JSON");
        let routes = all["routes"].as_array().expect("routes").iter().filter(|route| route["feed"] == feed);
        let ways = |route: &Value| {
            let way = |way: &Value| match way["via"].as_str() {
                Some(via) => format!("via {via}"),
                None => way["kind"].as_str().unwrap_or_default().to_owned(),
            };
            route["ways"].as_array().expect("ways").iter().map(way).collect::<Vec<_>>().join(" ")
        };
        routes.map(|route| (route["prefix"].as_str().expect("a prefix").to_owned(), ways(route))).collect()
    }

    /// The kernel's, but for those of its interfaces.
    pub(crate) fn kernels(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for family in ["-4", "-6"] {
            let told: Value = serde_json::from_str(&self.host.ip(&format!("-json {family} route"))).expect("JSON");
            for route in told.as_array().expect("routes").iter().filter(|route| route["protocol"] != "kernel") {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let mut net = text(&route["dst"]);
                if net == "default" {
                    net = if family == "-4" { "0.0.0.0/0" } else { "::/0" }.to_owned();
                } else if !net.contains('/') {
                    net += if family == "-4" { "/32" } else { "/128" };
                }
                let kind = text(&route["type"]);
                let mut hops: Vec<String> = match route["nexthops"].as_array() {
                    Some(hops) => hops.iter().map(|hop| format!("via {}", text(&hop["gateway"]))).collect(),
                    None if route["gateway"].is_string() => vec![format!("via {}", text(&route["gateway"]))],
                    None if kind.is_empty() => vec!["dev".to_owned()],
                    None => vec![kind],
                };
                hops.sort();
                all.insert(net, hops.join(" "));
            }
        }
        all
    }

    /// Waits until the router has what the kernel has.
    pub(crate) fn agree(&self, what: &str) {
        wait_until(&format!("the router had the kernel's routes ({what})"), LIMIT, || self.routes() == self.kernels());
    }
}

fn follow(mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    let bench = Bench::start(&lab);
    bench.host.ip("route add 21.0.0.0/8 via 10.77.1.2");
    bench.host.ip("-6 route add fd20::/32 via fd77:0:0:b::2");
    let mut feed = bench.feed(&["--from", "kernel"]);
    feed.wait_for_output("2 routes in the router");
    bench.agree("at first");
    for line in [
        "route add 22.0.0.0/8 nexthop via 10.77.1.2 nexthop via 10.77.1.3",
        "route add blackhole 23.0.0.0/8",
        "route add unreachable 24.0.0.0/8",
        "route add 25.0.0.0/8 dev e1",
        "route add 26.0.0.0/8 via 10.77.1.3 metric 50",
        "route add 26.0.0.0/8 via 10.77.1.2 metric 10",
        "route add default via 10.77.1.3",
        "-6 route add fd21::/32 via fe80::7 dev e1",
        "-6 route append fd20::/32 via fd77:0:0:b::3",
        "-6 route add default via fd77:0:0:b::2",
    ] {
        bench.host.ip(line);
    }
    follow_changes(&bench);
    follow_silence(&bench);
    leave(bench, feed);
}

/// Of several routes to a prefix the best counts; next hops come and go.
fn follow_changes(bench: &Bench<'_>) {
    wait_until("the routes were there", LIMIT, || bench.routes().len() == 10);
    let has = |net: &str, ways: &str| assert_eq!(bench.routes().get(net).map(String::as_str), Some(ways), "{net}");
    has("22.0.0.0/8", "via 10.77.1.2 via 10.77.1.3");
    wait_until("the second next hop was there", LIMIT, || {
        bench.routes().get("fd20::/32").is_some_and(|ways| ways == "via fd77:0:0:b::2 via fd77:0:0:b::3")
    });
    has("26.0.0.0/8", "via 10.77.1.2");
    // The better of two goes; then the other one.
    bench.host.ip("route del 26.0.0.0/8 metric 10");
    wait_until("the other one counted", LIMIT, || bench.routes()["26.0.0.0/8"] == "via 10.77.1.3");
    for line in [
        "route del 26.0.0.0/8",
        "route replace 21.0.0.0/8 via 10.77.1.3",
        "-6 route del fd20::/32 via fd77:0:0:b::2",
        "route del 23.0.0.0/8",
    ] {
        bench.host.ip(line);
    }
    bench.agree("after replacing and deleting");
}

/// Of these the kernel says nothing: they go with their interface, and a route with its object.
fn follow_silence(bench: &Bench<'_>) {
    bench.host.ip("nexthop add id 7 via 10.77.0.9 dev e0");
    bench.host.ip("route add 27.0.0.0/8 nhid 7");
    bench.agree("with an object");
    bench.host.ip("nexthop del id 7");
    bench.agree("without its object");
    bench.host.ip("link set e1 down");
    bench.agree("without its link");
    assert!(bench.routes().keys().eq(["24.0.0.0/8"]), "{:?}", bench.routes());
}

/// What cannot be held is told, and what a feed leaves is marked.
fn leave(bench: Bench<'_>, feed: Job) {
    // What the router cannot hold, or the operator has, is told and counted, and the rest goes on.
    bench.host.up("e1");
    bench.host.ip("route add 28.0.0.0/8 via 10.77.1.2 tos 8");
    bench.host.ip("route add 30.0.0.0/8 via 10.77.1.2");
    bench.host.ip("route add 31.0.0.0/8 via 10.77.1.2");
    wait_until("the last one was there", LIMIT, || bench.routes().contains_key("31.0.0.0/8"));
    feed.signal("TERM");
    let ended = feed.wait(LIMIT);
    assert!(ended.status.success(), "{}{}", ended.out, ended.err);
    let told = |words: &str| assert!(ended.err.contains(words), "{words}: {}", ended.err);
    told("is for one type of service only");
    told("this route is the operator's");
    let counts: Value = serde_json::from_str(ended.out.lines().last().expect("counts")).expect("JSON");
    assert!(counts["not_held"] == 1 && counts["refused"].as_u64() > Some(0), "{counts}");
    // It has ended: its routes are marked, and stay for now.
    let shown = bench.ctl(&["routes", "router", "31.0.0.1"]);
    assert!(shown.contains("kernel (stale)") && shown.contains("permanent"), "{shown}");
    assert!(bench.ctl(&["neighbours", "router"]).contains("02:00:00:00:00:b1"));
    let summary = bench.run.stop("INT");
    assert!(summary.total("sent") > 0, "packets have flowed: {}", summary.text());
}

#[test]
fn the_router_follows_the_kernel_as_root() {
    follow(Mode::Root);
}

#[test]
fn the_router_follows_the_kernel_as_user() {
    follow(Mode::User);
}

/// More news than there is room for: all is asked for again, and only what differs is sent.
#[test]
fn lost_news_are_made_up_for() {
    let Some(lab) = Lab::new(Mode::Root) else { return };
    let bench = Bench::start(&lab);
    let many = |verb: &str, from: u32, to: u32| {
        let lines: String =
            (from..to).map(|n| format!("route {verb} 40.{}.{}.0/24 via 10.77.1.2\n", n >> 8, n & 255)).collect();
        bench.host.ip(&format!("-batch {}", lab.write("batch", lines.as_bytes()).display()));
    };
    many("add", 0, 1_000);
    let mut feed = bench.feed(&["--from", "kernel"]);
    feed.wait_for_output("1,000 routes in the router");
    feed.signal("STOP");
    // Each piece of news takes the kernel a kilobyte.
    many("del", 0, 900);
    many("add", 1_000, 30_000);
    feed.signal("CONT");
    wait_until("the router had all", LIMIT, || bench.ctl(&["routes", "router", "1.1.1.1/32"]).contains(" 29,100 "));
    assert_eq!(bench.routes(), bench.kernels());
    feed.signal("TERM");
    let counts: Value =
        serde_json::from_str(feed.wait(LIMIT).expect_success().lines().last().expect("counts")).expect("JSON");
    assert!(counts["lost"].as_u64() > Some(0) && counts["dumps"].as_u64() > Some(1), "{counts}");
    // Those that had not changed were not sent again.
    assert!(counts["changes"].as_u64() < Some(31_100), "{counts}");
    // One that comes back finds what it has left.
    let again = bench.feed(&["--from", "kernel", "--once"]).wait(LIMIT).expect_success();
    let counts: Value = serde_json::from_str(again.lines().last().expect("counts")).expect("JSON");
    assert_eq!((&counts["routes"], &counts["changes"]), (&29_100.into(), &0.into()), "{counts}");
    bench.run.stop("INT");
}
