//! What is said of flow rules, of RSS and of filters.

use super::super::*;
use super::{GOOD, refused, warnings};

/// The valid configuration, whose port `b` has these lines; `perigee.toml:9` is the first of them.
fn with(port: &str) -> String {
    GOOD.replacen("device = \"net_null1\"", &format!("device = \"net_null1\"\n{port}"), 1)
}

#[test]
fn rules_are_read() {
    let text = with(
        "[[port.flow]]\nmatch = { vlan = 42, src = \"10.0.0.0/8\", protocol = \"tcp\", dst_port = \"80-90\" }\n\
         action = { queue = 0 }\n[[port.flow]]\nmatch = { ether_type = 0x88b5 }\naction = { mark = 7 }\n\
         [[port.flow]]\nmatch = { protocol = 50 }\naction = \"drop\"",
    );
    let config = Config::parse(&text, "perigee.toml").unwrap_or_else(|e| panic!("{e}"));
    let rules: Vec<String> =
        config.ports[1].flows.iter().map(|rule| format!("{} -> {}", rule.matches, rule.action)).collect();
    assert_eq!(
        rules,
        [
            "vlan 42, src 10.0.0.0/8, protocol tcp, dst_port 80-90 -> queue 0",
            "ether_type 0x88b5 -> mark 7",
            "protocol esp -> drop"
        ]
    );
}

#[test]
fn rules_that_contradict_themselves_are_refused() {
    for (rule, expected) in [
        (
            "match = { vlan = 4095 }\naction = \"drop\"",
            "10: port \"b\": flow rule 0 (vlan 4095): vlan is 4095; it must be 0 to 4094",
        ),
        (
            "match = { src = \"10.1.0.0/8\" }\naction = \"drop\"",
            "10: port \"b\": flow rule 0 (src 10.1.0.0/8): src 10.1.0.0/8 has bits behind its prefix; the network is \
             10.0.0.0/8; one address is 10.1.0.0/32",
        ),
        (
            "match = { src = \"10.0.0.0/8\", dst = \"::/0\" }\naction = \"drop\"",
            "10: port \"b\": flow rule 0 (src 10.0.0.0/8, dst ::/0): src and dst are of different kinds of IP; no packet has \
             both: make a rule for each",
        ),
        (
            "match = { ether_type = 0x0806, protocol = 6 }\naction = \"drop\"",
            "10: port \"b\": flow rule 0 (ether_type 0x0806, protocol tcp): ether_type 0x0806 is not that of what else it asks \
             for; leave ether_type away where addresses or a protocol say it; 0x0800 is IPv4, 0x86dd IPv6",
        ),
        (
            "match = { dst_port = 80 }\naction = \"drop\"",
            "10: port \"b\": flow rule 0 (dst_port 80): dst_port without a protocol that has ports; say whose ports: protocol = \
             \"tcp\", \"udp\" or \"sctp\"",
        ),
        (
            "match = { protocol = 17 }\naction = { queue = 1 }",
            "11: port \"b\": flow rule 0 (protocol udp): no chain reads rx queue 1; its packets would be lost; a chain with \
             source = { port = \"b\", queue = 1 } reads it",
        ),
    ] {
        refused(&with(&format!("[[port.flow]]\n{rule}")), &[&format!("perigee.toml:{expected}")]);
    }
}

#[test]
fn rules_to_which_no_packet_comes_are_refused() {
    refused(
        &with(
            "[[port.flow]]\nmatch = { src = \"10.0.0.0/8\" }\naction = \"drop\"\n[[port.flow]]\n\
             match = { src = \"10.1.0.0/16\", protocol = 6 }\naction = { mark = 1 }",
        ),
        &[
            "perigee.toml:12: port \"b\": flow rule 1 (src 10.1.0.0/16, protocol tcp): no packet comes to it, for rule 0 takes \
           them all; the first rule that a packet meets decides: put the narrower one first",
        ],
    );
}

#[test]
fn rules_of_a_port_that_nobody_reads_are_refused() {
    let text = GOOD.replacen("device = \"net_null0\"", "device = \"net_null0\"\n[[port.flow]]\naction = \"drop\"", 1);
    refused(&text, &["perigee.toml:5: port \"a\": it has flow rules, and no chain reads it"]);
}

#[test]
fn values_of_rules_say_how_they_are_written() {
    for (rule, expected) in [
        (
            "match = { port = 80 }\naction = \"drop\"",
            "unknown key `port`; known keys: ether_type, vlan, src, dst, protocol",
        ),
        (
            "match = { protocol = \"tpc\" }\naction = \"drop\"",
            "\"tpc\" is no IP protocol; write a number from 0 to 255, or icmp",
        ),
        (
            "match = { dst_port = \"90-80\" }\naction = \"drop\"",
            "\"90-80\" are no ports; write for example 53 or \"8000-8999\"",
        ),
        ("match = { dst_port = 70000 }\naction = \"drop\"", "70000 are no ports"),
        ("action = \"pass\"", "unknown variant `pass`, expected one of `queue`, `mark`, `drop`"),
        ("match = { vlan = 1 }", "missing key `action`"),
    ] {
        let told = Config::parse(&with(&format!("[[port.flow]]\n{rule}")), "perigee.toml").unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn rss_is_read_and_refused_where_nothing_is_spread() {
    let card = |rss: &str| {
        let text = with(rss).replacen("net_null1", "0000:01:00.0", 1);
        Config::parse(&text.replacen("port = \"b\" }", "port = \"b\" }\nlcores = [0, 1]", 1), "perigee.toml")
    };
    let rss =
        card("rss = { functions = [\"ip\", \"tcp\"], key = \"symmetric\" }").unwrap().ports[1].rss.clone().unwrap();
    assert_eq!(rss.key, Some(RssKey::Symmetric));
    assert_eq!(rss.functions.unwrap().iter().map(|function| function.name()).collect::<Vec<_>>(), ["ip", "tcp"]);
    let told = card("rss = { functions = [\"tpc\"] }").unwrap_err().to_string();
    assert!(
        told.contains("\"tpc\" is no function of RSS; did you mean \"tcp\"? known functions: ip, tcp, udp"),
        "{told}"
    );
    let told = card("rss = { key = \"6d5\" }").unwrap_err().to_string();
    assert!(told.contains("\"6d5\" is no key; write \"symmetric\", or bytes in hex (two digits each)"), "{told}");
    refused(
        &with("rss = { key = \"symmetric\" }"),
        &[
            "perigee.toml:9: port \"b\": net_null spreads nothing by RSS; it is made in software; flow rules ([[port.flow]]) lead \
           flows to queues on any port",
        ],
    );
    let one = with("rss = {}").replacen("net_null1", "0000:01:00.0", 1);
    assert_eq!(
        warnings(&one),
        ["perigee.toml:9: warning: port \"b\": rss with one rx queue spreads nothing; let chains read several queues"]
    );
}

#[test]
fn filters_are_compiled_when_all_problems_are_asked_for() {
    let chain = |filter: &str| {
        let text =
            GOOD.replacen("source = { port = \"b\" }", &format!("source = {{ port = \"b\" }}\nfilter = {filter}"), 1);
        let config = Config::parse(&text, "perigee.toml").unwrap();
        locate(&text, "perigee.toml", &config.validate_filters()).iter().map(Located::to_string).collect::<Vec<_>>()
    };
    assert_eq!(chain("\"tcp port 80\""), [""; 0]);
    let told = chain("\"tcp prot 80\"");
    assert!(
        told[0].starts_with("perigee.toml:25: chain \"chain1\": filter \"tcp prot 80\": ")
            && told[0].ends_with("; the language is libpcap's: `man pcap-filter`"),
        "{told:?}"
    );
    let text = GOOD.replacen("tx = [\"a\"]", "tx = [\"a\"]\nfilter = \"tcp\"", 1);
    refused(
        &text,
        &[
            "perigee.toml:22: chain \"load\": a generator's chain has a filter; a filter decides which packets of a port or of a \
           ring a chain takes; a generator makes its own",
        ],
    );
}
