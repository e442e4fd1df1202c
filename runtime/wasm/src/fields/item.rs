//! An item: when it moves on, and what becomes of its value.

use super::code::Code;
use super::plan::Packets;
use super::write;
use super::{called, draw};
use perigee_abi::fields::{Item, cells, scale, source, view};
use wasm_encoder::{BlockType, ValType};

/// The locals of an item.
#[derive(Debug)]
pub(super) struct State {
    pub(super) drawn: u32,
    /// Of clients.
    port: u32,
    mac: u32,
    pub(super) index: u32,
    pub(super) crossed: u32,
    left: u32,
    first: u32,
    /// Rounds that ended between the packet before and this one.
    wrapped: u32,
    /// Others carry from it.
    pub(super) is_watched: bool,
    has_rounds: bool,
    /// Each packet brings a new value.
    is_plain: bool,
    is_client: bool,
}

impl State {
    pub(super) fn new(code: &mut Code, spec: &Item) -> Self {
        let [drawn, port, mac, index, crossed, left, first, wrapped] = [(); 8].map(|()| code.local(ValType::I64));
        let has_rounds = matches!(spec.source, source::STEPS | source::SHUFFLE | source::REPEATABLE);
        let is_plain = spec.times == 0 && spec.carry == 0 && spec.every == 1;
        let is_client = spec.view == view::CLIENTS;
        Self {
            drawn,
            port,
            mac,
            index,
            crossed,
            left,
            first,
            wrapped,
            is_watched: false,
            has_rounds,
            is_plain,
            is_client,
        }
    }

    /// The cells that go on from batch to batch, with their locals.
    pub(super) fn each_cell(&self, mut each: impl FnMut(usize, u32)) {
        if self.has_rounds {
            each(cells::INDEX, self.index);
            if self.counts_rounds() {
                each(cells::CROSSED, self.crossed);
            }
        }
        if !self.is_plain {
            each(cells::LEFT, self.left);
            each(cells::FIRST, self.first);
            each(cells::DRAWN, self.drawn);
            if self.is_client {
                each(cells::PORT, self.port);
                each(cells::MAC, self.mac);
            }
        }
    }

    /// One of its values: see [`Item::part`].
    fn part(&self, part: u64) -> u32 {
        match part {
            1 => self.port,
            2 => self.mac,
            _ => self.drawn,
        }
    }

    /// Somebody asks how many rounds have ended.
    fn counts_rounds(&self) -> bool {
        self.has_rounds && (self.is_watched || !self.is_plain)
    }
}

/// The item of a stream that is drawn.
#[derive(Clone, Copy)]
pub(super) struct Turn<'p> {
    pub(super) packets: &'p Packets,
    /// Items of the stream.
    pub(super) items: &'p [State],
    pub(super) number: usize,
    /// Local with the packet's length.
    pub(super) len: u32,
}

impl<'p> Turn<'p> {
    fn parts(self) -> (&'p Item, &'p State) {
        (&self.packets.items[self.number], &self.items[self.number])
    }
}

/// Moves an item on, as far as this packet does: then its value is in its local.
pub(super) fn draw(code: &mut Code, turn: Turn<'_>) {
    let ((spec, state), items) = (turn.parts(), turn.items);
    if state.is_plain {
        if state.is_watched {
            go_on(code, spec, state, None);
        }
        renew(code, turn);
        return;
    }
    // What is drawn or not must find and leave a state that is written down.
    code.settle();
    let earlier = usize::try_from(spec.carry).ok().and_then(|carry| items.get(carry.checked_sub(1)?));
    match earlier {
        Some(earlier) => {
            code.emit().local_get(earlier.wrapped).local_get(state.first).i64_add();
        }
        None => {
            code.emit().local_get(state.first);
            code.constant(spec.every);
            code.emit().local_get(state.first).i64_eqz().i32_eqz().select();
        }
    }
    let turns = code.set_new();
    code.emit().i64_const(0).local_set(state.first).i64_const(0).local_set(state.wrapped);
    code.emit().local_get(turns).local_get(state.left).i64_gt_u().if_(BlockType::Empty);
    code.emit().local_get(turns).local_get(state.left).i64_sub().i64_const(1).i64_sub();
    let beyond = code.set_new();
    let each = spec.times + 1;
    if each == 1 {
        code.emit().i64_const(0).local_set(state.left);
        go_on(code, spec, state, Some(beyond));
    } else {
        code.constant(spec.times);
        code.emit().local_get(beyond).i64_const(each.cast_signed()).i64_rem_u().i64_sub().local_set(state.left);
        code.emit().local_get(beyond).i64_const(each.cast_signed()).i64_div_u();
        let more = code.set_new();
        go_on(code, spec, state, Some(more));
    }
    renew(code, turn);
    code.settle();
    code.emit().else_();
    code.emit().local_get(state.left).local_get(turns).i64_sub().local_set(state.left).end();
}

/// Leaves out `more` values, and notes how many rounds end before the next one.
fn go_on(code: &mut Code, spec: &Item, state: &State, more: Option<u32>) {
    if !state.has_rounds {
        return;
    }
    code.emit().local_get(state.crossed).local_set(state.wrapped);
    if let Some(more) = more {
        code.emit().local_get(more).i64_eqz().i32_eqz().if_(BlockType::Empty);
        let rounds = draw::skip(code, spec, state, |code| {
            code.emit().local_get(more);
        });
        code.emit().local_get(state.wrapped).local_get(rounds).i64_add().local_set(state.wrapped).end();
    }
}

/// Draws the next value.
fn renew(code: &mut Code, turn: Turn<'_>) {
    let ((spec, state), items) = (turn.parts(), turn.items);
    match spec.source {
        source::UNIFORM => {
            let mut random = code.random;
            draw::uniform(code, spec, &mut random);
            code.random = random;
        }
        source::WEIGHTED => draw::weighted(code, spec.table, spec.table_len),
        source::CALLED => called::index(code, spec),
        source::EARLIER => {
            let earlier = usize::try_from(spec.earlier).ok().and_then(|earlier| items.get(earlier));
            code.emit().local_get(earlier.map_or(state.drawn, |earlier| earlier.part(spec.part)));
        }
        source::LENGTH => {
            code.emit().local_get(turn.len);
        }
        of_rounds => {
            code.emit().local_get(state.index);
            let index = code.set_new();
            let rounds = draw::skip(code, spec, state, |code| code.constant(spec.stride));
            if state.counts_rounds() {
                code.emit().local_get(rounds).local_set(state.crossed);
            }
            match of_rounds {
                source::SHUFFLE => draw::shuffle(code, spec, index),
                source::REPEATABLE => draw::repeatable(code, spec, index),
                _ => {
                    code.emit().local_get(index);
                }
            }
        }
    }
    match spec.view {
        view::LIST => code.load_pool(spec.list),
        view::CLIENTS => {
            clients(code, spec, state);
            return;
        }
        _ => {
            if spec.step != 1 {
                code.emit().i64_const(spec.step.cast_signed()).i64_mul();
            }
            if spec.base != 0 {
                code.emit().i64_const(spec.base.cast_signed()).i64_add();
            }
        }
    }
    code.emit().local_set(state.drawn);
}

/// Makes of the index on the stack a flow.
fn clients(code: &mut Code, spec: &Item, state: &State) {
    let flow = code.set_new();
    let client = match spec.last_client.checked_add(1) {
        Some(clients) => {
            code.emit().local_get(flow).i64_const(clients.cast_signed()).i64_div_u();
            let round = code.set_new();
            code.emit().local_get(round).i64_const(spec.port.cast_signed()).i64_add();
            code.emit().i64_const(0xffff).i64_and().local_set(state.port);
            code.emit().local_get(flow).local_get(round).i64_const(clients.cast_signed()).i64_mul().i64_sub();
            code.set_new()
        }
        None => {
            code.emit().i64_const(spec.port.cast_signed()).local_set(state.port);
            flow
        }
    };
    code.emit().local_get(client).i64_const(spec.mac.cast_signed()).i64_add().local_set(state.mac);
    code.emit().local_get(client).i64_const(spec.base.cast_signed()).i64_add().local_set(state.drawn);
}

/// Makes of an item's value what is written. Returns its local.
pub(super) fn value(code: &mut Code, spec: &Item, state: &State) -> u32 {
    code.emit().local_get(state.drawn);
    if spec.add != 0 {
        code.emit().i64_const(spec.add.cast_signed()).i64_add();
    }
    match spec.shift.cast_signed() {
        0 => {}
        right @ ..0 => {
            code.emit().i64_const(-right).i64_shr_u();
        }
        left => {
            code.emit().i64_const(left).i64_shl();
        }
    }
    if spec.swapped != 0 {
        let value = code.set_new();
        write::swap_64(code, value);
        code.emit().i64_const(64 - spec.swapped.cast_signed()).i64_shr_u();
    }
    code.set_new()
}

/// The largest value that is written, as far as that is known.
pub(super) fn largest(packets: &Packets, spec: &Item) -> u64 {
    let last = match (spec.source, spec.scale) {
        (source::UNIFORM | source::REPEATABLE, scale::BITS) => (1 << spec.count) - 1,
        (source::UNIFORM | source::REPEATABLE, _) => spec.count.wrapping_sub(1),
        (source::STEPS | source::SHUFFLE, _) => spec.last,
        (source::LENGTH, _) => packets.stream.most,
        _ => return u64::MAX,
    };
    let is_range = spec.view == view::RANGE && spec.add == 0 && spec.shift == 0 && spec.swapped == 0;
    let most = last.checked_mul(spec.step).and_then(|most| most.checked_add(spec.base));
    most.filter(|_| is_range).unwrap_or(u64::MAX)
}
