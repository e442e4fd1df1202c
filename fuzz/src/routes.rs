//! What a routing program or the kernel says of routes: messages of netlink, alone and in FPM's frames.

use perigee_machine::netlink::fpm::{Frames, LONGEST};
use perigee_machine::netlink::routes::{Behind, MOST_HOPS, Messages, Net, News, Object, Route};

/// The shortest message, and the shortest hop or member of a group in one.
const MESSAGE: usize = 16;
const MEMBER: usize = 8;

/// Reads bytes as messages, and as what a peer sends. Nothing panics or goes on for ever; what is read is no more than the bytes can
/// say, each prefix is one, and how a peer's bytes are cut into pieces makes no difference.
pub fn check(bytes: &[u8]) {
    messages(bytes);
    let whole = framed(bytes, bytes.len().max(1));
    for piece in [1, 7, 1_000] {
        assert_eq!(framed(bytes, piece), whole, "in pieces of {piece} bytes");
    }
}

/// Those in these bytes; behind one that is malformed there are none.
fn messages(bytes: &[u8]) -> Vec<Result<News, &'static str>> {
    let all: Vec<_> = Messages::new(bytes).collect();
    assert!(all.len() <= bytes.len() / MESSAGE + 1, "{} messages in {} bytes", all.len(), bytes.len());
    let malformed = all.iter().position(Result::is_err);
    assert!(malformed.is_none_or(|at| at + 1 == all.len()), "it goes on behind what is malformed");
    for news in all.iter().flatten() {
        match news {
            News::Came(route, _) | News::Went(route) => is_good(route, bytes.len()),
            News::Object(_, Some(Object::Group(members))) => {
                assert!(members.len() <= MOST_HOPS && members.len() * MEMBER <= bytes.len());
            }
            _ => {}
        }
    }
    all
}

fn is_good(route: &Route, len: usize) {
    let text = route.net.to_string();
    assert_eq!(text.parse::<Net>(), Ok(route.net), "{text}");
    assert!(route.net.contains(route.net.address));
    if let Behind::Hops(hops) = &route.behind {
        assert!(hops.len() <= MOST_HOPS && hops.len().saturating_sub(1) * MEMBER <= len, "{} hops", hops.len());
    }
}

/// What a peer says that sends these bytes in such pieces, and how that ends.
fn framed(bytes: &[u8], piece: usize) -> (Vec<Result<News, &'static str>>, Result<usize, &'static str>) {
    let (mut frames, mut all) = (Frames::default(), Vec::new());
    for part in bytes.chunks(piece) {
        frames.push(part);
        loop {
            match frames.next_frame() {
                Ok(None) => break,
                Ok(Some(messages)) => all.extend(messages),
                Err(what) => return (all, Err(what)),
            }
        }
        assert!(frames.waiting() < LONGEST, "{} bytes wait for their frame", frames.waiting());
    }
    (all, Ok(frames.waiting()))
}
