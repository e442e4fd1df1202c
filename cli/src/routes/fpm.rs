//! Routes of FRR: it connects, by its Forwarding Plane Manager, and says all that it has, and then what changes.
//!
//! Both of FRR 8.4's modules are heard. `dplane_fpm_nl` tells next-hop objects and routes that name their numbers, a group before its
//! members; `fpm` tells routes with their gateways. Neither says when it has told all.

use super::args::Listen;
use super::source::Event;
use anyhow::{Context, Result, bail};
use perigee_machine::netlink::fpm::Frames;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, UnixListener};

/// How much is read at a time.
const PART: usize = 256 << 10;

/// Where peers come to.
enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

type Peer = Box<dyn AsyncRead + Unpin>;

/// One listening socket, and the peer that is there.
pub(super) struct Fpm {
    listener: Listener,
    peer: Option<Peer>,
    frames: Frames,
    buffer: Vec<u8>,
    /// Peers that were sent away because one was there.
    pub(super) sent_away: u64,
}

impl Fpm {
    /// Listens, before the jail.
    pub(super) fn listen(at: &Listen) -> Result<Self> {
        let listener = match at {
            Listen::Loopback(address) => {
                let bound = std::net::TcpListener::bind(address).with_context(|| format!("--listen {address}"))?;
                bound.set_nonblocking(true)?;
                Listener::Tcp(TcpListener::from_std(bound)?)
            }
            Listen::Path(path) => {
                let told = || format!("--listen {}", path.display());
                make_room(path).with_context(told)?;
                let bound = std::os::unix::net::UnixListener::bind(path).with_context(told)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).with_context(told)?;
                bound.set_nonblocking(true)?;
                Listener::Unix(UnixListener::from_std(bound)?)
            }
        };
        Ok(Self { listener, peer: None, frames: Frames::default(), buffer: vec![0; PART], sent_away: 0 })
    }

    /// What has happened, as soon as something has.
    pub(super) async fn next(&mut self) -> Result<Vec<Event>> {
        loop {
            let Self { listener, peer, buffer, .. } = self;
            let Some(peer) = peer else {
                self.peer = Some(accept(listener).await?);
                self.frames = Frames::default();
                return Ok(vec![Event::Begun]);
            };
            tokio::select! {
                read = peer.read(buffer) => {
                    let read = read.map_err(|error| error.kind());
                    return Ok(self.heard(read));
                }
                other = accept(listener) => {
                    // It is closed as it goes out of scope.
                    drop(other?);
                    self.sent_away += 1;
                    tracing::warn!("a second peer came, and was sent away: one gives the routes at a time");
                }
            }
        }
    }

    fn heard(&mut self, read: Result<usize, ErrorKind>) -> Vec<Event> {
        let mut events = Vec::new();
        let end = match read {
            Ok(0) => Some("it has closed the connection".to_owned()),
            Err(kind) => Some(kind.to_string()),
            Ok(len) => {
                self.frames.push(&self.buffer[..len]);
                self.take(&mut events).err().map(|error| error.to_string())
            }
        };
        if let Some(why) = end {
            self.peer = None;
            events.push(Event::Ended(why));
        }
        events
    }

    /// Takes the frames that are whole.
    fn take(&mut self, events: &mut Vec<Event>) -> Result<()> {
        loop {
            match self.frames.next_frame() {
                Ok(None) => return Ok(()),
                Err(what) => bail!("{what}"),
                Ok(Some(messages)) => {
                    for news in messages {
                        match news {
                            Ok(news) => events.push(Event::News(news)),
                            Err(what) => bail!("{what}"),
                        }
                    }
                }
            }
        }
    }
}

/// Takes away the socket that a process has left which has ended, and nothing else.
fn make_room(path: &Path) -> Result<()> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(found) if !found.file_type().is_socket() => {
            bail!("what is there is no socket: name another path, or remove it")
        }
        Ok(_) if perigee_control::is_alive(path) => bail!("another process listens there: name another path"),
        Ok(_) => Ok(std::fs::remove_file(path)?),
    }
}

async fn accept(listener: &Listener) -> Result<Peer> {
    Ok(match listener {
        Listener::Tcp(listener) => Box::new(listener.accept().await.context("a peer")?.0),
        Listener::Unix(listener) => Box::new(listener.accept().await.context("a peer")?.0),
    })
}
