//! A list of draws and places, made of a configuration and applied to packets.

use super::item::{Item, Pool, Surroundings, largest};
use super::spec::{Spec, Value};
use super::{Draw, Place};
use crate::config::List;
use crate::{Lcg64, Refusal, Text};

/// Draws, and the places that they are written to, in the order of the configuration. At most `ITEMS` of them (an item
/// with IPv6 addresses counts as two), and `VALUES` values of lists, weights counting too.
///
/// ```
/// use perigee_guest::config::{List, from_json};
/// use perigee_guest::vary::{Place, Program, Spec};
/// use perigee_guest::Lcg64;
/// use perigee_guest::wire::{Ethernet, Ipv4, Layers, Places, Stack, Udp, Vlan};
///
/// # fn main() -> Result<(), perigee_guest::Refusal> {
/// let json = br#"[
///     { "field": "ipv4.source", "draw": "random", "from": "10.0.0.0", "to": "10.0.255.255" },
///     { "field": "udp.destination_port", "draw": "list", "values": [80, 443] },
///     { "field": "vlan.vid", "from": 100, "to": 199 }
/// ]"#;
/// let vary: List<Spec<'_>, 8> = from_json(json)?;
/// perigee_guest::stack! { struct Template { eth: Ethernet, tag: Vlan, ip: Ipv4, udp: Udp } }
/// let (mut random, mut bytes) = (Lcg64::new(1), [0; 64]);
/// Template::fill(&mut bytes, |_| ()).map_err(|_| perigee_guest::Refusal::new("does not fit"))?;
/// let places: Places = Layers::new(&bytes).collect();
/// let mut program: Program<8, 16> = Program::new(&vary, &|field| Place::named(&places, field), (0, 1))?;
/// program.apply(&mut bytes, &mut random);
/// assert_eq!((&bytes[30..32], &bytes[40..42], &bytes[14..16]), (&[10, 0][..], &[0, 80][..], &[0, 100][..]));
/// program.apply(&mut bytes, &mut random);
/// assert_eq!((&bytes[40..42], &bytes[14..16]), (&[1, 187][..], &[0, 101][..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Program<const ITEMS: usize, const VALUES: usize> {
    pub(super) items: [Item; ITEMS],
    pub(super) pool: [u64; VALUES],
    pub(super) used: usize,
    pub(super) len: usize,
}

impl<const ITEMS: usize, const VALUES: usize> Program<ITEMS, VALUES> {
    /// Makes the program that `vary` describes. `find` knows where the template's fields are, mostly by [`Place::named`]; `instance` is
    /// [`crate::Setup::instance`], by which counters are shared.
    ///
    /// # Errors
    ///
    /// A text that says which item is wrong, in what, and how.
    pub fn new<const N: usize>(
        vary: &List<Spec<'_>, N>,
        find: &dyn Fn(&str) -> Result<Place, Refusal>,
        instance: (u32, u32),
    ) -> Result<Self, Refusal> {
        let mut program = Self { items: [Item::EMPTY; ITEMS], pool: [0; VALUES], used: 0, len: 0 };
        let mut names = [None; ITEMS];
        for (number, spec) in vary.iter().enumerate() {
            program.add(spec, find, instance, &mut names).map_err(|refusal| in_item(number, refusal))?;
        }
        Ok(program)
    }

    fn add<'s>(
        &mut self,
        spec: &Spec<'s>,
        find: &dyn Fn(&str) -> Result<Place, Refusal>,
        instance: (u32, u32),
        names: &mut [Option<(&'s str, Spec<'s>)>; ITEMS],
    ) -> Result<(), Refusal> {
        let place = spec.place(find)?;
        if place.is_none() && spec.name.is_none() {
            return Err(Refusal::new("field: is missing (or offset, or a name for others to use)"));
        }
        if let (Some(high), Some(upper)) = (place.and_then(Place::high), upper_half(spec)?) {
            self.push(Item::constant(high, upper))?;
        }
        let carry = match spec.carry {
            Some(name) => Some(carried(name, names)?),
            None => None,
        };
        if let Some(item) = carry.and_then(|carry| self.items.get_mut(carry)) {
            item.watch_rounds();
        }
        let of = match spec.of {
            None | Some("length") => None,
            Some(name) => Some(part_of(name, names)?),
        };
        let pool = Pool { values: &mut self.pool, used: &mut self.used };
        let item = Item::new(spec, Surroundings { place: place.map(Place::low), instance, carry, of, pool })?;
        if let (Some(name), Some(entry)) = (spec.name, names.get_mut(self.len)) {
            *entry = Some((name, *spec));
        }
        self.push(item)
    }

    #[inline(never)]
    fn push(&mut self, item: Item) -> Result<(), Refusal> {
        let place = self.items.get_mut(self.len);
        *place.ok_or_else(|| Refusal::new("more than this module has room for"))? = item;
        self.len += 1;
        Ok(())
    }

    /// Draws each item's next value, and writes it into the packet. An item whose place is beyond the packet's end draws
    /// all the same, and writes nothing.
    #[inline(always)]
    pub fn apply(&mut self, bytes: &mut [u8], random: &mut Lcg64) {
        for at in 0..self.len.min(ITEMS) {
            let (earlier, rest) = self.items.split_at_mut(at);
            let Some(item) = rest.first_mut() else { return };
            let value = item.draw(earlier, &self.pool, bytes.len(), random);
            if let Some(write) = &item.write {
                write.write(bytes, value);
            }
        }
    }

    /// Number of the byte behind the last one that is written.
    #[must_use]
    pub fn end(&self) -> u32 {
        let items = self.items.iter().take(self.len);
        items.filter_map(|item| item.write.as_ref()).map(|write| write.end()).max().unwrap_or(0)
    }

    /// Whether this byte of a packet is written.
    #[must_use]
    pub fn writes(&self, byte: usize) -> bool {
        let mut items = self.items.iter().take(self.len);
        items.any(|item| item.write.as_ref().is_some_and(|write| write.has(byte)))
    }

    /// Whether nothing is varied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A single draw of a configuration without a place: sizes of packets, numbers of streams. `VALUES` as in [`Program`].
#[derive(Clone, Copy, Debug)]
pub struct Values<const VALUES: usize> {
    pub(super) item: Item,
    pub(super) pool: [u64; VALUES],
    pub(super) used: usize,
    largest: u64,
}

impl<const VALUES: usize> Values<VALUES> {
    /// The draw that `spec` describes.
    ///
    /// # Errors
    ///
    /// A text that says what is wrong.
    pub fn new(spec: &Spec<'_>, instance: (u32, u32)) -> Result<Self, Refusal> {
        if spec.field.is_some() || spec.offset.is_some() || spec.of.is_some() || spec.carry.is_some() {
            return Err(Refusal::new("field, offset, of and carry are for the items of vary"));
        }
        let (mut values, mut used) = ([0; VALUES], 0);
        let pool = Pool { values: &mut values, used: &mut used };
        let mut item = Item::new(spec, Surroundings { place: None, instance, carry: None, of: None, pool })?;
        item.watch_rounds();
        Ok(Self { item, pool: values, used, largest: largest(spec)? })
    }

    /// The largest value that comes.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.largest
    }
}

impl<const VALUES: usize> Draw for Values<VALUES> {
    type Value = u64;

    #[inline]
    fn next(&mut self, random: &mut Lcg64) -> u64 {
        self.item.draw(&[], &self.pool, 0, random)
    }

    #[inline]
    fn ended(&self) -> bool {
        self.item.ended
    }
}

/// What the items before are called, with their place in the program.
type Names<'n, 's> = &'n [Option<(&'s str, Spec<'s>)>];

fn named<'n, 's>(name: &str, names: Names<'n, 's>) -> Option<(usize, &'n Spec<'s>)> {
    let mut all = names.iter().enumerate();
    all.find_map(|(at, entry)| entry.as_ref().filter(|(known, _)| *known == name).map(|(_, spec)| (at, spec)))
}

fn unknown(key: &str, name: &str) -> Refusal {
    Refusal::from_parts(&[key, ": no item before this one has the name \"", name, "\""])
}

/// The item that `carry` names.
fn carried(name: &str, names: Names<'_, '_>) -> Result<usize, Refusal> {
    let (item, spec) = named(name, names).ok_or_else(|| unknown("carry", name))?;
    if spec.draw.has_rounds() && spec.of.is_none() && !spec.once {
        return Ok(item);
    }
    Err(Refusal::from_parts(&["carry: \"", name, "\" never begins anew: it is no counter, list or shuffle"]))
}

/// The item, and the part of it, that `of` names.
fn part_of(name: &str, names: Names<'_, '_>) -> Result<(usize, usize), Refusal> {
    if let Some((item, _)) = named(name, names) {
        return Ok((item, 0));
    }
    let (name, part) = name.rsplit_once('.').unwrap_or((name, ""));
    let (item, spec) = named(name, names).ok_or_else(|| unknown("of", name))?;
    match part {
        "port" if spec.clients.is_some() => Ok((item, 1)),
        "mac" if spec.clients.is_some_and(|clients| clients.macs.is_some()) => Ok((item, 2)),
        _ => Err(Refusal::from_parts(&["of: \"", name, "\" has no \"", part, "\""])),
    }
}

/// The upper half of a range's IPv6 addresses, which must be the same for all.
fn upper_half(spec: &Spec<'_>) -> Result<Option<u64>, Refusal> {
    let clients = spec.clients.iter().flat_map(|clients| [clients.from, clients.to]);
    let mut halves =
        spec.from.iter().chain(spec.to.iter()).chain(spec.values.iter()).copied().chain(clients).map(|v: Value| v.high);
    let Some(first) = halves.next() else { return Ok(None) };
    if halves.all(|half| half == first) {
        return Ok(first);
    }
    Err(Refusal::new("IPv6 addresses of one item must have the same first 64 bits"))
}

/// Says in which item.
fn in_item(number: usize, refusal: Refusal) -> Refusal {
    let mut text = Text::<240>::from("vary[");
    text.push_number(number as u64).push("]: ").push(refusal.text().as_str());
    text.into()
}
