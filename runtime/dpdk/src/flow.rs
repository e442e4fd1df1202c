//! Flow rules by DPDK's rte_flow.

use super::port::Port;
use ipnet::IpNet;
use perigee_config::{FlowAction, FlowRule};
use perigee_dpdk_sys as sys;
use std::ffi::CStr;
use std::ptr::NonNull;

/// A rule that the port does: one of DPDK's, or two where it is about both kinds of IP.
#[derive(Debug)]
pub struct Offloaded {
    port: u16,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    flow: NonNull<sys::rte_flow>,
    is_counted: bool,
}

// SAFETY:
// - rte_flow's functions may be called on any thread; drivers lock where they must.
unsafe impl Send for Offloaded {}
// SAFETY:
// - as above.
unsafe impl Sync for Offloaded {}

impl Port {
    /// Asks the port to do a rule. The text says why it does not.
    pub fn offer(&self, rule: &FlowRule) -> Result<Offloaded, String> {
        if !self.is_physical() {
            return Err("virtual ports do none".to_owned());
        }
        let mut offloaded = Offloaded { port: self.dpdk_id(), parts: Vec::new() };
        for plain in plain(rule) {
            // What was taken goes back with `offloaded` where the next part is refused.
            let part = create(self.dpdk_id(), &plain)?;
            offloaded.parts.push(part);
        }
        Ok(offloaded)
    }
}

impl Offloaded {
    /// Packets that have met it; `None` where the port does not count them.
    pub fn hits(&self) -> Option<u64> {
        let hits = |part: &Part| {
            let mut hits = 0;
            // SAFETY:
            // - the rule is the port's until it is closed, which is after all who ask; the place is valid.
            let code = unsafe { sys::perigee_flow_hits(self.port, part.flow.as_ptr(), &raw mut hits) };
            (part.is_counted && code == 0).then_some(hits)
        };
        self.parts.iter().map(hits).sum()
    }
}

impl Drop for Offloaded {
    fn drop(&mut self) {
        for part in &self.parts {
            // SAFETY:
            // - the rule was made on this port, which is not closed yet, and is taken back once.
            unsafe { sys::perigee_flow_destroy(self.port, part.flow.as_ptr()) };
        }
    }
}

fn create(port: u16, plain: &sys::perigee_flow_rule) -> Result<Part, String> {
    let (mut is_counted, mut why) = (0, [0; 256]);
    // SAFETY:
    // - the port has started; all places are valid, and `why` has the length that is said.
    let flow =
        unsafe { sys::perigee_flow_create(port, &raw const *plain, &raw mut is_counted, why.as_mut_ptr(), why.len()) };
    let part = NonNull::new(flow).map(|flow| Part { flow, is_counted: is_counted != 0 });
    part.ok_or_else(|| {
        // SAFETY:
        // - the shim has written a terminated text there, and all of it was zero before.
        let why = unsafe { CStr::from_ptr(why.as_ptr()) };
        format!("its driver says: {}", why.to_string_lossy())
    })
}

/// The rule in C: two where it is about both kinds of IP.
fn plain(rule: &FlowRule) -> Vec<sys::perigee_flow_rule> {
    let matches = &rule.matches;
    let (action, value) = match rule.action {
        FlowAction::Drop => (sys::PERIGEE_FLOW_DROP, 0),
        FlowAction::Queue(queue) => (sys::PERIGEE_FLOW_QUEUE, queue.into()),
        FlowAction::Mark(mark) => (sys::PERIGEE_FLOW_MARK, mark),
    };
    let keys = [
        (matches.ether_type.is_some(), sys::PERIGEE_FLOW_ETHER_TYPE),
        (matches.vlan.is_some(), sys::PERIGEE_FLOW_VLAN),
        (matches.src.is_some(), sys::PERIGEE_FLOW_SRC),
        (matches.dst.is_some(), sys::PERIGEE_FLOW_DST),
        (matches.protocol.is_some(), sys::PERIGEE_FLOW_PROTOCOL),
        (matches.src_port.is_some(), sys::PERIGEE_FLOW_SRC_PORT),
        (matches.dst_port.is_some(), sys::PERIGEE_FLOW_DST_PORT),
    ];
    let mut plain = sys::perigee_flow_rule {
        keys: keys.iter().filter(|(has, _)| *has).fold(0, |keys, (_, key)| keys | key),
        protocol: matches.protocol.map_or(0, |protocol| protocol.0),
        ether_type: matches.ether_type.unwrap_or(0),
        vlan: matches.vlan.unwrap_or(0),
        action,
        value,
        ..Default::default()
    };
    (plain.src, plain.src_mask) = matches.src.map(address).unwrap_or_default();
    (plain.dst, plain.dst_mask) = matches.dst.map(address).unwrap_or_default();
    let ends = |range: &perigee_config::PortRange| [*range.0.start(), *range.0.end()];
    plain.src_port = matches.src_port.as_ref().map(ends).unwrap_or_default();
    plain.dst_port = matches.dst_port.as_ref().map(ends).unwrap_or_default();
    let families = families(rule);
    families.iter().map(|family| sys::perigee_flow_rule { family: *family, ..plain }).collect()
}

/// 4, 6, both, or 0 where the rule is not about IP.
fn families(rule: &FlowRule) -> &'static [u8] {
    let matches = &rule.matches;
    match (matches.src.or(matches.dst), matches.ether_type) {
        (Some(IpNet::V4(_)), _) => &[4],
        (Some(IpNet::V6(_)), _) => &[6],
        (None, _) if matches.protocol.is_none() => &[0],
        (None, Some(0x0800)) => &[4],
        (None, Some(_)) => &[6],
        (None, None) => &[4, 6],
    }
}

/// A network's first address and its mask, as on the wire.
fn address(net: IpNet) -> ([u8; 16], [u8; 16]) {
    let (mut address, mut mask) = ([0; 16], [0; 16]);
    match net {
        IpNet::V4(net) => {
            address[..4].copy_from_slice(&net.network().octets());
            mask[..4].copy_from_slice(&net.netmask().octets());
        }
        IpNet::V6(net) => (address, mask) = (net.network().octets(), net.netmask().octets()),
    }
    (address, mask)
}

#[cfg(test)]
mod test {
    use super::*;

    fn rule(text: &str) -> Vec<sys::perigee_flow_rule> {
        plain(&toml::from_str(text).unwrap())
    }

    #[test]
    fn a_rule_about_both_kinds_of_ip_becomes_two() {
        let two = rule("match = { protocol = \"udp\", dst_port = \"53-54\" }\naction = { queue = 3 }");
        assert_eq!(two.iter().map(|plain| plain.family).collect::<Vec<_>>(), [4, 6]);
        assert_eq!((two[0].protocol, two[0].dst_port, two[0].src_port), (17, [53, 54], [0, 0]));
        assert_eq!((two[0].action, two[0].value), (sys::PERIGEE_FLOW_QUEUE, 3));
        assert_eq!(two[0].keys, sys::PERIGEE_FLOW_PROTOCOL | sys::PERIGEE_FLOW_DST_PORT);
        let six = rule("match = { protocol = 58, ether_type = 0x86dd }\naction = \"drop\"");
        assert_eq!(six.iter().map(|plain| plain.family).collect::<Vec<_>>(), [6]);
    }

    #[test]
    fn addresses_are_written_as_on_the_wire() {
        let four = rule("match = { src = \"10.1.0.0/16\", vlan = 7 }\naction = { mark = 9 }");
        assert_eq!((&four[0].src[..4], &four[0].src_mask[..4]), (&[10, 1, 0, 0][..], &[255, 255, 0, 0][..]));
        assert_eq!((four[0].family, four[0].vlan, four[0].value), (4, 7, 9));
        let six = rule("match = { dst = \"2001:db8::/32\" }\naction = \"drop\"");
        assert_eq!((six[0].family, six[0].dst[..4].to_vec()), (6, vec![0x20, 0x01, 0x0d, 0xb8]));
        assert_eq!(six[0].dst_mask[..5], [255, 255, 255, 255, 0]);
        assert_eq!(rule("action = \"drop\"")[0].family, 0);
    }
}
