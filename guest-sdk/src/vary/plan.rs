//! A program as the host's compiler reads it.

use super::Program;
use crate::wire::checksum::{Asked, Prepared};
use crate::{Buffer, Full, Refusal, Text};
use perigee_abi::fields::{self, Head, cells};

impl<const ITEMS: usize, const VALUES: usize> Program<ITEMS, VALUES> {
    /// Writes the program's plan for the host's compiler ([`perigee_abi::fields`]): for [`crate::Module::fields`]. All packets are `len`
    /// bytes long, `sums` are written behind the items, and `asked` is asked of the way out. It runs by [`super::Compiled`].
    ///
    /// # Errors
    ///
    /// A text that says which item draws something that is not compiled, or that the mailbox is too small.
    pub fn plan(
        &self,
        len: u16,
        sums: Option<&Prepared>,
        asked: Option<Asked>,
        to: &mut Buffer<'_>,
    ) -> Result<(), Refusal> {
        let asked = asked.unwrap_or(Asked { flags: 0, l2_len: 0, l3_len: 0 });
        let head = Head {
            version: fields::VERSION,
            slot: super::compiled::slot() as u64,
            len: len.into(),
            items: self.len as u64,
            sums: sums.map_or(0, Prepared::count) as u64,
            pool: self.used as u64,
            tx_flags: asked.flags.into(),
            l2_len: asked.l2_len.into(),
            l3_len: asked.l3_len.into(),
        };
        push(to, &head.to_words())?;
        for (number, item) in self.items.iter().take(self.len).enumerate() {
            let item = item.plan().map_err(|what| {
                let mut text = Text::<240>::from("vary[");
                text.push_number(number as u64).push("] draws ").push(what);
                Refusal::from(text)
            })?;
            if u64::from(len) < item.first + item.width {
                return Err(Refusal::new("an item is written behind the packet's end"));
            }
            push(to, &item.to_words())?;
        }
        match sums {
            Some(sums) => sums.plan(&mut |words| push(to, words)),
            None => Ok(()),
        }
    }

    /// Puts the state and the pool into the cells that compiled code works on.
    pub(super) fn store(&mut self, to: &mut [u64]) {
        let (items, pool) = to.split_at_mut(cells::pool(self.len).min(to.len()));
        let places = items.get_mut(cells::ITEMS..).unwrap_or_default().chunks_exact_mut(cells::PER_ITEM);
        self.items.iter_mut().zip(places).for_each(|(item, place)| item.store(place));
        pool.iter_mut().zip(&self.pool).for_each(|(place, value)| *place = *value);
    }

    /// Takes the state from the cells.
    pub(super) fn load(&mut self, from: &[u64]) {
        let places = from.get(cells::ITEMS..).unwrap_or_default().chunks_exact(cells::PER_ITEM);
        self.items.iter_mut().take(self.len).zip(places).for_each(|(item, place)| item.load(place));
    }
}

#[inline(never)]
fn push(to: &mut Buffer<'_>, words: &[u64]) -> Result<(), Refusal> {
    words.iter().try_for_each(|word| to.push(&word.to_le_bytes())).map_err(|Full| Refusal::new("its plan is too long"))
}
