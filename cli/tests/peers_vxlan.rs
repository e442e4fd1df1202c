//! The kernel's own VXLAN device is the other end of the example `tunnel`.

use crate::lab::{Kind, Lab, Mode, Namespace, Perigee, Wire, cpus, ipv4, say};

/// Echo requests of each test.
const COUNT: u64 = 300;
/// The network inside the tunnel, beside that of the laboratory, which is outside.
const INSIDE: &str = "10.98.0.";

/// Gives the kernel at the other end a VXLAN device towards us. False: this kernel has none.
fn vxlan(outside: &Namespace<'_>, device: &str, our_mac: &str) -> bool {
    let (us, them) = (ipv4(1), ipv4(2));
    let added = outside.ip_works(&format!(
        "link add vxlan7 type vxlan id 7 dstport 4789 remote {us} local {them} dev {device} nolearning"
    ));
    if added {
        outside.ip(&format!("neigh replace {us} lladdr {our_mac} dev {device} nud permanent"));
        outside.without_offloads("vxlan7");
        outside.ip(&format!("addr add {INSIDE}2/24 dev vxlan7"));
        outside.up("vxlan7");
    }
    added
}

fn tunnel(mode: Mode) {
    let Some(lab) = Lab::new(mode) else { return };
    let host = lab.namespace();
    let inside = Wire::new(&host, Kind::AfPacket, 0, 1_500);
    let outside = Wire::new(&host, Kind::AfPacket, 1, 1_500);
    let there = outside.peer().mac(&outside.peer_device());
    let config = format!(
        "{{ inside = 0, outside = 1, here = \"{}\", there = \"{}\", there_mac = \"{there}\", vni = 7 }}",
        ipv4(1),
        ipv4(2)
    );
    let chain = |name: &str, from: &str, to: &str| {
        format!(
            "[[chain]]\nname = \"{name}\"\nlcores = [{}]\nsource = {{ port = \"{from}\" }}\nstages = [\"tunnel\"]\n\
             tx = [\"{to}\"]\n",
            cpus()[0]
        )
    };
    let ports = inside.port("inside", "") + &outside.port("outside", "");
    let chains = chain("in", "inside", "outside") + &chain("out", "outside", "inside");
    let config = ports + &lab.module("tunnel", &config, &["inside", "outside"]) + &chains;
    let mut perigee = Perigee::start(&host, "tunnel", &config);
    inside.connect_silently(&mut perigee);
    inside.peer().ip(&format!("addr add {INSIDE}1/24 dev {}", inside.peer_device()));
    outside.connect_v4(&mut perigee, 2);
    let our_mac = outside.lasting_device().map(|device| host.mac(&device)).expect("an interface of its own");
    if !vxlan(outside.peer(), &outside.peer_device(), &our_mac) {
        say("not run: this kernel has no VXLAN");
        perigee.stop("INT");
        return;
    }

    let target = format!("{INSIDE}2");
    inside.peer().wait_for_answer(&target);
    // As long as the tunnel's headers leave room for: 1,500 less 50, less 28 of IPv4 and ICMP.
    for size in [0, 56, 1_422] {
        let pings = inside.peer().ping(&target, COUNT, &format!("-b {size} -M"));
        say(&format!("{} of {} pings of {size} bytes answered through the tunnel", pings.answered, pings.sent));
        assert_eq!((pings.sent, pings.answered), (COUNT, COUNT), "every ping is answered");
    }
    let summary = perigee.stop("INT");
    assert!(summary.total("sent") > 6 * COUNT, "both ways: {}", summary.text());
}

#[test]
fn the_kernels_vxlan_as_root() {
    tunnel(Mode::Root);
}

#[test]
fn the_kernels_vxlan_as_user() {
    tunnel(Mode::User);
}
