//! What is told on request.

use crate::Nat;
use crate::table::Class;
use core::fmt::Write as _;
use perigee_guest::{Buffer, Refusal};

impl Nat {
    /// Answers a message.
    pub(crate) fn tell(&mut self, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
        if request != b"summary" {
            return Err(Refusal::new("known messages: summary"));
        }
        let bytes = self.layout.bytes();
        let ports = self.rules.pool.ports();
        let tables = self.tables().ok_or(Refusal::new(crate::NO_TABLES))?;
        let head = &tables.head;
        let of = |class: Class| head.lists[class as usize].len;
        let full = Refusal::new("the mailbox is too small");
        write!(
            reply,
            "{{\"sessions\":{},\"capacity\":{},\"mappings\":{},\"hosts\":{},\"half_open\":{},\"one_way\":{},\"icmp\":{},\"udp\":{},\
             \"established\":{},\"closing\":{},\"ports\":[{},{}],\"bytes\":{bytes}}}",
            head.sessions.len,
            tables.sessions.capacity(),
            head.mappings.len,
            head.hosts.len,
            of(Class::HalfOpen),
            of(Class::OneWay),
            of(Class::Icmp),
            of(Class::Udp),
            of(Class::Established),
            of(Class::Closing),
            ports.first,
            ports.last,
        )
        .map_err(|_| full)
    }
}
