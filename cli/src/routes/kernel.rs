//! Routes of the kernel: all of them once, and then the news. Where news are lost, all of them again.

use super::rib::Rib;
use super::source::Event;
use anyhow::{Context, Result, bail};
use perigee_machine::netlink::routes::{ALL_NEWS, Messages, News, Question, ask_all};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::UnixDatagram;

/// Longest part of an answer, and of a piece of news: the kernel's are 32 KiB at most.
const LONGEST: usize = 64 << 10;
/// Most pieces of news that are taken at a time.
const AT_A_TIME: usize = 4_096;
/// For how many bytes of news the kernel has room: what it allows may be less.
const ROOM: usize = 8 << 20;
/// How often all is asked for again where it changed meanwhile. The news tell the rest.
const TRIES: usize = 3;
/// How long the kernel may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The kernel's sockets: of datagrams, which tokio has a type for that looks at no address.
pub(super) struct Kernel {
    news: UnixDatagram,
    asking: UnixDatagram,
    buffer: Vec<u8>,
    events: Vec<Event>,
}

/// What the kernel was asked for.
pub(super) struct Dump {
    pub(super) rib: Rib,
    /// Interfaces by their numbers.
    pub(super) links: HashMap<u32, String>,
    /// More was told than is remembered.
    pub(super) is_full: bool,
}

impl Kernel {
    /// Opens both, before the jail. What happens from now on is heard.
    pub(super) fn open() -> Result<Self> {
        let open = |groups| -> Result<UnixDatagram> {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
            // Without rights the kernel gives as much as it allows everybody.
            let _ = sockopt::set_socket_recv_buffer_size_force(&socket, ROOM)
                .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, ROOM));
            bind(&socket, &SocketAddrNetlink::new(0, groups))?;
            Ok(UnixDatagram::from_std(socket.into())?)
        };
        let (news, asking) = (open(ALL_NEWS).context("the kernel's news")?, open(0).context("the kernel's routes")?);
        Ok(Self { news, asking, buffer: vec![0; LONGEST], events: Vec::new() })
    }

    /// What has happened, as soon as something has.
    pub(super) async fn next(&mut self) -> Result<Vec<Event>> {
        loop {
            self.news.readable().await.context("the kernel's news")?;
            for _ in 0..AT_A_TIME {
                match self.news.try_recv(&mut self.buffer) {
                    Ok(len) => hear(&self.buffer[..len], &mut self.events),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                        self.events.push(Event::Lost("the kernel had no room for more news"));
                    }
                    Err(error) => return Err(error).context("the kernel's news"),
                }
            }
            if !self.events.is_empty() {
                return Ok(std::mem::take(&mut self.events));
            }
        }
    }

    /// Asks for all that there is.
    pub(super) async fn dump(&mut self, new: impl Fn() -> Rib) -> Result<Dump> {
        for left in (0..TRIES).rev() {
            let (dump, is_whole) =
                tokio::time::timeout(PATIENCE, self.ask_all(new())).await.context("the kernel does not answer")??;
            if is_whole || left == 0 {
                return Ok(dump);
            }
        }
        bail!("the kernel's routes cannot be had")
    }

    async fn ask_all(&mut self, rib: Rib) -> Result<(Dump, bool)> {
        let mut dump = Dump { rib, links: HashMap::new(), is_full: false };
        let mut is_whole = true;
        for question in [Question::Links, Question::Objects, Question::Routes] {
            is_whole &= self.ask(question, &mut dump).await?;
        }
        Ok((dump, is_whole))
    }

    /// Asks one question. Whether the answer is of one moment.
    async fn ask(&mut self, question: Question, dump: &mut Dump) -> Result<bool> {
        let bytes = ask_all(question);
        self.asking.send(&bytes).await.context("a question to the kernel")?;
        loop {
            let len = self.asking.recv(&mut self.buffer).await.context("an answer of the kernel's")?;
            for news in Messages::new(&self.buffer[..len]) {
                match news.map_err(|what| anyhow::anyhow!("an answer of the kernel's: {what}"))? {
                    News::Done(is_whole) => return Ok(is_whole),
                    // A kernel before 5.3 knows no objects.
                    News::Error(_) if question == Question::Objects => return Ok(true),
                    News::Error(number) => {
                        return Err(std::io::Error::from_raw_os_error(number)).context("the kernel's routes");
                    }
                    News::Link(number, Some(name), _) => drop(dump.links.insert(number, name)),
                    news => dump.is_full |= !dump.rib.hear_all(news),
                }
            }
        }
    }
}

/// Reads news. What happens to interfaces, addresses and objects takes routes along of which the kernel says nothing.
fn hear(bytes: &[u8], events: &mut Vec<Event>) {
    for news in Messages::new(bytes) {
        events.push(match news {
            Ok(News::Link(..) | News::Address) => Event::Doubt("an interface has changed"),
            Ok(News::Object(..)) => Event::Doubt("a next hop has changed"),
            Ok(News::Error(_)) => Event::Lost("the kernel has lost news"),
            Ok(News::Nothing | News::Done(_)) => continue,
            Ok(news) => Event::News(news),
            Err(_) => Event::Lost("a piece of the kernel's news cannot be read"),
        });
    }
}
