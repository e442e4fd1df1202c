//! What FRR 8.4 and Linux 6.18 really send; any other bytes are in fuzz/src/routes.rs.

use super::super::fpm::Frames;
use super::*;

const DPLANE: &[u8] = include_bytes!("../../../../../fuzz/corpus/routes/dplane_fpm_nl.fpm");
const FPM: &[u8] = include_bytes!("../../../../../fuzz/corpus/routes/fpm.fpm");
const NEWS: &[u8] = include_bytes!("../../../../../fuzz/corpus/routes/kernel-news.netlink");
const OBJECTS: &[u8] = include_bytes!("../../../../../fuzz/corpus/routes/kernel-objects.netlink");

fn framed(bytes: &[u8]) -> Vec<News> {
    let mut frames = Frames::default();
    frames.push(bytes);
    let mut all = Vec::new();
    while let Some(messages) = frames.next_frame().unwrap() {
        all.extend(messages.map(Result::unwrap));
    }
    assert_eq!(frames.waiting(), 0);
    all
}

fn of(news: &[News], wanted: &str) -> Vec<Behind> {
    let net = wanted.parse().unwrap();
    let behind = |news: &News| match news {
        News::Came(route, _) if route.net == net => Some(route.behind.clone()),
        _ => None,
    };
    news.iter().filter_map(behind).collect()
}

fn hop(gateway: &str, interface: u32, weight: u16) -> Hop {
    Hop { gateway: gateway.parse().ok(), interface, weight, is_dead: false }
}

#[test]
fn dplane_fpm_nl_tells_numbers_and_objects() {
    let all = framed(DPLANE);
    assert_eq!(of(&all, "20.0.0.0/24"), [Behind::Object(0x14)]);
    assert_eq!(of(&all, "20.0.1.0/24"), [Behind::Object(0x15)]);
    assert_eq!(of(&all, "20.0.2.0/24"), [Behind::Blackhole]);
    assert_eq!(of(&all, "20.0.3.0/24"), [Behind::Unreachable]);
    let at = |id| all.iter().position(|news| matches!(news, News::Object(known, Some(_)) if *known == id)).unwrap();
    assert_eq!(all[at(0x14)], News::Object(0x14, Some(Object::Hop(hop("10.77.1.2", 3, 1)))));
    assert_eq!(all[at(0x15)], News::Object(0x15, Some(Object::Group(vec![(0x14, 1), (0x16, 1)]))));
    assert!(at(0x15) < at(0x16), "a group comes before one of its members");
    assert_eq!(all[at(0x13)], News::Object(0x13, Some(Object::Hop(hop("fe80::7", 3, 1)))));
    assert!(all.contains(&News::Object(0x15, None)));
    let went = all.iter().filter(|news| matches!(news, News::Went(route) if route.is_forwarding)).count();
    assert_eq!(went, 7);
}

#[test]
fn fpm_tells_gateways() {
    let all = framed(FPM);
    assert_eq!(of(&all, "20.0.0.0/24"), [Behind::Hops(vec![hop("10.77.1.2", 3, 1)])]);
    assert_eq!(of(&all, "20.0.1.0/24"), [Behind::Hops(vec![hop("10.77.1.2", 3, 2), hop("10.77.1.3", 3, 2)])]);
    assert_eq!(of(&all, "20.0.4.0/24"), [Behind::Hops(vec![hop("", 3, 1)])]);
    // Some it tells twice.
    assert_eq!(of(&all, "fd21::/32"), vec![Behind::Hops(vec![hop("fe80::7", 3, 1)]); 2]);
}

#[test]
fn the_kernels_news_are_read() {
    let all: Vec<News> = Messages::new(NEWS).map(Result::unwrap).collect();
    let first = [hop("10.77.1.2", 3, 1), hop("10.77.1.3", 3, 1), hop("10.77.1.4", 3, 1), hop("10.77.1.5", 3, 1)];
    assert_eq!(of(&all, "20.0.0.0/24"), first.map(|hop| Behind::Hops(vec![hop])));
    assert_eq!(of(&all, "20.0.1.0/24"), [Behind::Hops(vec![hop("10.77.1.2", 3, 2), hop("10.77.1.3", 3, 1)])]);
    assert_eq!(of(&all, "20.0.6.0/24"), [Behind::Blackhole]);
    assert_eq!(of(&all, "20.0.7.0/24"), [Behind::Odd("is for one type of service only")]);
    assert_eq!(of(&all, "20.0.8.0/24"), [Behind::Odd("has a next hop of the other family")]);
    assert_eq!(of(&all, "20.0.9.0/24"), [Behind::Unreachable]);
    assert!(matches!(of(&all, "20.0.10.0/24")[..], [Behind::Odd(why)] if why.contains("throw")));
    assert_eq!(of(&all, "fd22::/32"), [Behind::Odd("is for some sources only")]);
    let metric = |wanted| all.iter().any(|news| matches!(news, News::Came(route, _) if route.metric == wanted));
    assert!(metric(50) && metric(1024));
    // Of 20.0.5.0/24, which goes with its second next hop's object, there is no word.
    assert!(all.contains(&News::Object(6, None)));
}

#[test]
fn the_kernels_objects_are_read() {
    let all: Vec<News> = Messages::new(OBJECTS).map(Result::unwrap).collect();
    assert!(all.contains(&News::Object(8, Some(Object::Blackhole))), "{all:?}");
    assert_eq!(all.last(), Some(&News::Done(true)));
}

#[test]
fn frames_of_others_are_refused() {
    for (bytes, why) in [
        ([2, 1, 0, 4], "version 1"),
        ([1, 2, 0, 4], "netlink's form"),
        ([1, 1, 0, 3], "shorter than its header"),
        ([1, 1, 0xff, 0xff], "longer than 8 KiB"),
    ] {
        let mut frames = Frames::default();
        frames.push(&bytes);
        assert!(frames.next_frame().unwrap_err().contains(why), "{bytes:?}");
    }
}

#[test]
fn prefixes_are_read_as_they_are_shown() {
    for text in ["0.0.0.0/0", "10.0.0.0/8", "10.1.2.3/32", "::/0", "2001:db8::/32", "2001:db8::1/128"] {
        assert_eq!(text.parse::<Net>().unwrap().to_string(), text);
    }
    assert!(
        ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0", "::/129", "x/1"].iter().all(|wrong| wrong.parse::<Net>().is_err())
    );
}
