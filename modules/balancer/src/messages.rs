//! Answers to messages; README.md has the table.

use crate::Balancer;
use crate::connections::State;
use crate::forward::Tunnel;
use crate::pool::{Group, Health, Service};
use core::fmt::{self, Write as _};
use perigee_guest::wire::protocol;
use perigee_guest::{Buffer, Quoted, Refusal};

pub(crate) fn answer(balancer: &mut Balancer, request: &[u8], reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let request = core::str::from_utf8(request).unwrap_or_default();
    let mut words = request.split_ascii_whitespace();
    let written = match (words.next(), words.next(), words.next(), words.next()) {
        (Some("backend"), Some(name), Some(health), None) => return set_health(balancer, name, health, reply),
        (Some("backends?"), None, ..) => backends(balancer, reply),
        (Some("services?"), None, ..) => services(balancer, reply),
        (Some("connections?"), None, ..) => connections(balancer, reply),
        _ => {
            return Err(Refusal::new(
                "known messages: backend NAME up, backend NAME drain, backend NAME down, backends?, services?, connections?",
            ));
        }
    };
    written.map_err(|fmt::Error| perigee_guest::Full.into())
}

fn set_health(balancer: &mut Balancer, name: &str, health: &str, reply: &mut Buffer<'_>) -> Result<(), Refusal> {
    let health = Health::named(health).ok_or(Refusal::new("a backend is up, drain or down"))?;
    let moved = balancer.pool.set_health(name, health)?;
    write!(reply, "{{\"moved\":{},\"needless\":{}}}", moved.places, moved.needless)
        .map_err(|fmt::Error| perigee_guest::Full.into())
}

fn backends(balancer: &Balancer, reply: &mut Buffer<'_>) -> fmt::Result {
    reply.write_str("[")?;
    for (number, backend) in balancer.pool.backends.iter().enumerate() {
        let connections = u16::try_from(number).map_or(0, |number| balancer.connections.of_backend(number));
        let (comma, name) = (comma(number), Quoted(backend.name.as_str()));
        write!(reply, "{comma}{{\"name\":{name},\"health\":\"{}\"", backend.health.name())?;
        write!(reply, ",\"weight\":{},\"connections\":{connections}", backend.weight)?;
        write!(reply, ",\"packets\":{},\"bytes\":{}}}", backend.packets, backend.bytes)?;
    }
    reply.write_str("]")
}

/// Each service with the places that its backends have in the table.
fn services(balancer: &Balancer, reply: &mut Buffer<'_>) -> fmt::Result {
    reply.write_str("[")?;
    for (index, Service { front, tunnel, group }) in balancer.pool.services.iter().enumerate() {
        let Some(Group { backends, table }) = balancer.pool.groups.get(*group) else { continue };
        let protocol = if front.protocol == protocol::TCP { "tcp" } else { "udp" };
        let forward = match tunnel {
            Tunnel::None => "mac",
            Tunnel::Ipip => "ipip",
            Tunnel::Geneve(_) => "geneve",
        };
        write!(reply, "{}{{\"address\":\"{}\",\"protocol\":\"{protocol}\"", comma(index), front.address)?;
        write!(reply, ",\"port\":{},\"forward\":\"{forward}\",\"places\":{{", front.port)?;
        for (at, number) in backends.iter().enumerate() {
            let Some(backend) = balancer.pool.backends.get(usize::from(*number)) else { continue };
            let places = table.places().iter().filter(|place| *place == number).count();
            write!(reply, "{}{}:{places}", comma(at), Quoted(backend.name.as_str()))?;
        }
        reply.write_str("}}")?;
    }
    reply.write_str("]")
}

/// How full each table is.
fn connections(balancer: &Balancer, reply: &mut Buffer<'_>) -> fmt::Result {
    reply.write_str("{")?;
    for (index, (state, name)) in State::ALL.into_iter().enumerate() {
        let table = balancer.connections.table(state);
        write!(reply, "{}\"{name}\":{{\"entries\":{},", comma(index), table.len())?;
        write!(reply, "\"capacity\":{},\"evicted\":{}}}", table.capacity(), table.evicted())?;
    }
    reply.write_str("}")
}

fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { "," }
}
