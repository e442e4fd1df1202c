//! What becomes of the routes of `perigee routes` when its peer, the feed itself or the router goes and comes back.

use crate::lab::{Lab, Mode, wait_until};
use crate::routes::{Bench, LIMIT};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A peer that speaks as FRR's `dplane_fpm_nl` does (examples/routes has FRR itself, which connects by TCP alone).
struct Peer(UnixStream);

impl Peer {
    fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        Self(stream)
    }

    /// Says a route to a prefix of eight bits, by a next hop on the second link; without one, that it is gone.
    fn say(&mut self, first: u8, hop: Option<u8>) {
        let kind: u16 = if hop.is_some() { 24 } else { 25 };
        let mut message = [0_u32.to_le_bytes(), [0; 4], [0; 4], [0; 4]].concat();
        message[4..6].copy_from_slice(&kind.to_le_bytes());
        // That it is created, and replaces.
        message[6..8].copy_from_slice(&0x501_u16.to_le_bytes());
        // IPv4, eight bits, the main table, zebra, unicast.
        message.extend([2, 8, 0, 0, 254, 11, 0, 1, 0, 0, 0, 0]);
        message.extend([8, 0, 1, 0, first, 0, 0, 0]);
        if let Some(hop) = hop {
            message.extend([8, 0, 5, 0, 10, 77, 1, hop]);
        }
        let len = u32::try_from(message.len()).expect("short");
        message[..4].copy_from_slice(&len.to_le_bytes());
        let whole = u16::try_from(message.len() + 4).expect("short").to_be_bytes();
        self.0.write_all(&[&[1, 1, whole[0], whole[1]], &message[..]].concat()).expect("the feed listens");
    }

    /// Whether it is sent away.
    fn is_sent_away(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 1]), Ok(0))
    }
}

/// The feed's line of `feeds?`: its state, and how many routes it has.
fn standing(bench: &Bench<'_>, feed: &str) -> Option<(String, u64)> {
    let told = bench.ctl(&["message", "router", "feeds?"]);
    let line = told.lines().find(|line| line.starts_with(&format!("feed {feed} ")))?.to_owned();
    let words: Vec<&str> = line.split(' ').collect();
    let value = |key: &str| words.chunks_exact(2).find(|pair| pair[0] == key).map(|pair| pair[1].to_owned());
    Some((value("state")?, value("routes")?.parse().ok()?))
}

fn counts(out: &str) -> Value {
    serde_json::from_str(out.lines().last().expect("counts")).expect("JSON")
}

/// By a Unix socket; and one peer at a time.
#[test]
fn frrs_peer_goes_and_another_one_comes() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let bench = Bench::start(&lab);
    let path = lab.path("fpm.sock");
    let listen = path.to_string_lossy().into_owned();
    let mut feed = bench.feed(&["--from", "fpm", "--listen", &listen, "--stale", "4s"]);
    wait_until("the feed listened", LIMIT, || path.exists());
    let has = |wanted: &[(&str, &str)]| {
        let wanted = wanted.iter().map(|(net, way)| ((*net).to_owned(), (*way).to_owned())).collect();
        wait_until(&format!("the router had {wanted:?}"), LIMIT, || bench.routes_of("fpm") == wanted);
    };
    let mut peer = Peer::connect(&path);
    peer.say(21, Some(2));
    peer.say(22, Some(2));
    has(&[("21.0.0.0/8", "via 10.77.1.2"), ("22.0.0.0/8", "via 10.77.1.2")]);
    // A second one has nothing to say, and the first goes on.
    assert!(Peer::connect(&path).is_sent_away());
    assert!(Peer::connect(&path).is_sent_away());
    peer.say(22, None);
    peer.say(23, Some(3));
    has(&[("21.0.0.0/8", "via 10.77.1.2"), ("23.0.0.0/8", "via 10.77.1.3")]);
    let refusals = feed.output_so_far().matches("a second peer came, and was sent away").count();
    assert_eq!(refusals, 2, "a line for each: {}", feed.output_so_far());

    // It goes: its routes are marked, and stay.
    drop(peer);
    feed.wait_for_output("it has closed the connection");
    wait_until("its routes were marked", LIMIT, || standing(&bench, "fpm") == Some(("stale".to_owned(), 2)));
    assert!(bench.ctl(&["routes", "router", "21.0.0.1"]).contains("fpm (stale)"));
    // Another one comes in time and says one of them again, which changes nothing; the other one goes when its time is over.
    let mut peer = Peer::connect(&path);
    peer.say(21, Some(2));
    peer.say(24, Some(3));
    has(&[("21.0.0.0/8", "via 10.77.1.2"), ("23.0.0.0/8", "via 10.77.1.3"), ("24.0.0.0/8", "via 10.77.1.3")]);
    assert_eq!(standing(&bench, "fpm"), Some(("alive".to_owned(), 3)));
    has(&[("21.0.0.0/8", "via 10.77.1.2"), ("24.0.0.0/8", "via 10.77.1.3")]);

    // Who speaks something else is sent away, and the next one is heard.
    peer.0.write_all(b"GET / HTTP/1.1\r\n").expect("the feed listens");
    feed.wait_for_output("a frame is not of version 1");
    let mut peer = Peer::connect(&path);
    peer.say(21, Some(3));
    wait_until("the route had changed", LIMIT, || {
        bench.routes_of("fpm").get("21.0.0.0/8").is_some_and(|way| way == "via 10.77.1.3")
    });
    feed.signal("TERM");
    let told = counts(&feed.wait(LIMIT).expect_success());
    // Three came and one went; another one came, and the third went; and one changed.
    let seen = ["peers", "peers_sent_away", "changes", "refused"].map(|key| told[key].as_u64());
    assert_eq!(seen, [Some(3), Some(2), Some(7), Some(0)], "{told}");
    assert!(!path.exists(), "the socket goes with the feed");
    bench.run.stop("INT");
}

/// What lies where it is to listen is not taken away.
#[test]
fn a_feed_listens_at_no_file_of_others() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let bench = Bench::start(&lab);
    let file = lab.write("routes.txt", b"mine");
    let path = file.to_string_lossy().into_owned();
    let refused = bench.feed(&["--from", "fpm", "--listen", &path]).wait(LIMIT);
    assert!(!refused.status.success() && refused.err.contains("is no socket"), "{}", refused.err);
    assert_eq!(fs::read(&file).expect("it is there"), b"mine");
    let refused = bench.feed(&["--from", "fpm", "--once"]).wait(LIMIT);
    assert!(
        !refused.status.success() && refused.err.contains("FRR never says that it has told all"),
        "{}",
        refused.err
    );
    // One that a dead feed has left is taken over; one at which somebody listens is not.
    let socket = lab.path("fpm.sock");
    let path = socket.to_string_lossy().into_owned();
    let first = bench.feed(&["--from", "fpm", "--listen", &path]);
    wait_until("it listened", LIMIT, || socket.exists());
    let second = bench.feed(&["--from", "fpm", "--listen", &path, "--name", "other"]).wait(LIMIT);
    assert!(!second.status.success() && second.err.contains("another process listens"), "{}", second.err);
    first.signal("KILL");
    assert!(!first.wait(LIMIT).status.success() && socket.exists());
    let third = bench.feed(&["--from", "fpm", "--listen", &path]);
    wait_until("the next one listened", LIMIT, || UnixStream::connect(&socket).is_ok());
    third.signal("TERM");
    third.wait(LIMIT).expect_success();
    bench.run.stop("INT");
}

/// A feed that is killed: its routes are marked, stay for a while, and go. One that comes back in time finds them.
#[test]
fn a_feed_that_is_killed_may_come_back() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let bench = Bench::start(&lab);
    bench.host.ip("route add 21.0.0.0/8 via 10.77.1.2");
    bench.host.ip("route add 22.0.0.0/8 via 10.77.1.2");
    let start = || {
        let mut feed = bench.feed(&["--from", "kernel", "--stale", "6s"]);
        feed.wait_for_output("2 routes in the router");
        feed
    };
    let kill = |feed: crate::lab::Job| {
        feed.signal("KILL");
        assert!(!feed.wait(LIMIT).status.success());
        wait_until("its routes were marked", LIMIT, || standing(&bench, "kernel") == Some(("stale".to_owned(), 2)));
    };
    kill(start());
    assert_eq!(bench.routes(), bench.kernels());
    // Meanwhile one of them has changed.
    bench.host.ip("route replace 22.0.0.0/8 via 10.77.1.3");
    let feed = start();
    bench.agree("after its return");
    assert_eq!(standing(&bench, "kernel"), Some(("alive".to_owned(), 2)));
    kill(feed);
    wait_until("its routes had gone", LIMIT, || bench.routes().is_empty());
    assert!(bench.ctl(&["routes", "router", "20.0.0.1"]).contains("10.77.1.2"), "others stay");
    let feed = start();
    feed.signal("TERM");
    assert_eq!(counts(&feed.wait(LIMIT).expect_success())["changes"], 2, "both are new again");
    bench.run.stop("INT");
}

/// A swap of the router under a feed: routes stay, of whomever they are, also those of the configuration that somebody has changed since; and
/// another configuration changes those that are others in it.
#[test]
fn a_swap_leaves_routes_as_they_are() {
    let Some(lab) = Lab::new(Mode::User) else { return };
    let bench = Bench::start(&lab);
    for line in ["route add 21.0.0.0/8 via 10.77.1.2", "route add 22.0.0.0/8 via 10.77.1.3"] {
        bench.host.ip(line);
    }
    let mut feed = bench.feed(&["--from", "kernel", "--stale", "60s"]);
    feed.wait_for_output("2 routes in the router");
    bench.ctl(&[
        "message",
        "router",
        "batch 7\nroute replace 20.0.0.0/8 via 10.77.1.3\nroute del 30.0.0.0/8\nroute add 33.0.0.0/8 blackhole",
    ]);
    let all = |bench: &Bench<'_>| -> Value {
        serde_json::from_str(&bench.ctl(&["routes", "router", "--json"])).expect("JSON")
    };
    let before = all(&bench)["routes"].clone();
    let router = bench.module("router");
    for _ in 0..2 {
        bench.ctl(&["swap", "router", &router, "--grace", "0s"]);
        assert_eq!(all(&bench)["routes"], before);
        assert_eq!(standing(&bench, "kernel"), Some(("alive".to_owned(), 2)));
    }
    // The feed goes on, and the router knows which batches it has had.
    bench.host.ip("route add 23.0.0.0/8 via 10.77.1.2");
    bench.host.ip("route del 22.0.0.0/8");
    bench.agree("after two swaps");
    assert_eq!(bench.ctl(&["message", "router", "batch 7\nroute del 33.0.0.0/8"]).trim(), "batch 7 was applied before");

    // The operator's file says something else of one route, and what it says of the other is as it was.
    let file = lab.path("run.toml");
    let text = fs::read_to_string(&file).expect("the configuration");
    let other = text.replace("20.0.0.0/8 via 10.77.1.2", "20.0.0.0/8 unreachable");
    assert_ne!(text, other);
    lab.write("run.toml", other.as_bytes());
    bench.ctl(&["apply", &file.to_string_lossy()]);
    let way = |address: &str| bench.ctl(&["message", "router", &format!("route? {address}")]);
    assert!(way("20.0.0.1").contains("20.0.0.0/8 unreachable"), "{}", way("20.0.0.1"));
    assert!(!way("30.0.0.1").contains("30.0.0.0/8"), "{}", way("30.0.0.1"));
    assert!(way("33.0.0.1").contains("33.0.0.0/8 blackhole"), "{}", way("33.0.0.1"));
    bench.agree("after another configuration");
    // Without the route in the file it is gone; with it, it comes.
    lab.write(
        "run.toml",
        other
            .replace("\"20.0.0.0/8 unreachable\", ", "")
            .replace("30.0.0.0/8 blackhole", "34.0.0.0/8 blackhole")
            .as_bytes(),
    );
    bench.ctl(&["apply", &file.to_string_lossy()]);
    assert!(!way("20.0.0.1").contains("20.0.0.0/8"), "{}", way("20.0.0.1"));
    assert!(way("34.0.0.1").contains("34.0.0.0/8 blackhole"), "{}", way("34.0.0.1"));
    bench.host.ip("route add 24.0.0.0/8 via 10.77.1.2");
    bench.agree("at the end");
    feed.signal("TERM");
    let ended = feed.wait(LIMIT);
    let told = counts(&ended.out);
    let seen = ["changes", "refused", "routes"].map(|key| told[key].as_u64());
    assert_eq!(seen, [Some(5), Some(0), Some(3)], "each change was made once: {told}{}", ended.err);
    let summary = bench.run.stop("INT");
    assert!(summary.total("sent") > 0, "packets have flowed: {}", summary.text());
}
