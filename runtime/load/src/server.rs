//! The compile server: a process that turns modules into native code, so that a module made to exhaust a compiler exhausts a
//! process of its own. It has no network, no capabilities, and no files but cache and versions; each module gets a worker with
//! limits. What comes back is native code and is trusted: this keeps harm from the run's availability, and from nothing else.

use super::confine;
use super::keeper::Keeper;
use super::wire::{self, Answer, Request};
use super::worker;
use perigee_report::Error;
use perigee_wasm::compile;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Most bytes of a module that any run may send.
const MOST_WASM: u64 = 256 << 20;

/// Serves the run that started this process, over the socket that is its standard input, until that is closed. For a program
/// that embeds the runtime: call it where it is started with the arguments of [`super::Compiler::Process`], before any
/// thread.
///
/// # Errors
/// Standard input is no such socket, or what came was no request.
pub fn serve() -> Result<(), Error> {
    confine::close_inherited().map_err(failed)?;
    let input = std::io::stdin().as_fd().try_clone_to_owned();
    let mut stream = UnixStream::from(input.map_err(failed)?);
    if stream.peer_addr().is_err() {
        return Err(Error::Request(
            "a compile server is started by a run, which it talks to on its standard input".into(),
        ));
    }
    match serve_on(&mut stream) {
        // The run is over.
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof || e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(failed),
    }
}

fn failed(source: io::Error) -> Error {
    Error::Request(format!("compile server: {source}"))
}

fn serve_on(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let Request::Begin(plan) = wire::receive(stream)? else {
        return Err(io::Error::other("the first request must say how to work"));
    };
    let engine = perigee_wasm::engine::for_worker(plan.metering).map_err(io::Error::other)?;
    let digest = compile::engine_digest(&engine);
    let mut keeper = match Keeper::open(&plan) {
        Ok(keeper) => keeper,
        Err(why) => return wire::send(stream, &Answer::Refused { why, notes: Vec::new() }, &[]),
    };
    let limits = confine::Limits::of(&plan);
    keeper.notes.extend(confine::server(&plan));
    let notes = std::mem::take(&mut keeper.notes);
    wire::send(stream, &Answer::Ready { engine: digest, notes }, &[])?;
    loop {
        let request = wire::receive(stream)?;
        let (answer, code) = match request {
            Request::Begin(_) => return Err(io::Error::other("it has begun already")),
            Request::Compile { len } => {
                let wasm = wire::receive_body(stream, len, MOST_WASM)?;
                let made = keeper.compile(&wasm, &digest, |wasm| worker::compile(&engine, &limits, wasm));
                let notes = std::mem::take(&mut keeper.notes);
                match made {
                    Ok(made) => {
                        let (len, wasm_len) = (made.native.code.len() as u64, made.native.wasm_len);
                        (Answer::Native { len, wasm_len, cached: made.cached, notes }, made.native.code)
                    }
                    Err(why) => (Answer::Refused { why, notes }, Vec::new()),
                }
            }
            Request::Highest { module } => (answer(keeper.highest(&module).map(Answer::Highest)), Vec::new()),
            Request::Remember { module, version, back } => {
                (answer(keeper.remember(&module, version, back).map(|()| Answer::Remembered)), Vec::new())
            }
        };
        wire::send(stream, &answer, &code)?;
    }
}

fn answer(result: Result<Answer, String>) -> Answer {
    result.unwrap_or_else(|why| Answer::Refused { why, notes: Vec::new() })
}
