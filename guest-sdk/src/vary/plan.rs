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

#[cfg(test)]
mod test {
    use crate::Lcg64;
    use crate::config::{List, from_json};
    use crate::vary::{Compiled, Program, Spec};

    const ITEMS: usize = 8;
    const VALUES: usize = 16;

    fn program(vary: &str, instance: (u32, u32)) -> Program<ITEMS, VALUES> {
        let vary: List<Spec<'_>, ITEMS> = from_json(vary.as_bytes()).unwrap();
        Program::new(&vary, &|_| unreachable!("no field has a name"), instance).unwrap()
    }

    #[test]
    fn a_program_goes_on_from_the_cells_of_another() {
        let vary = r#"[
            {"offset": 0, "name": "a", "to": 4}, {"offset": 1, "to": 200, "carry": "a"}, {"offset": 2, "to": 9, "times": 3},
            {"offset": 3, "bits": 16, "draw": "random", "times": 2}, {"offset": 5, "draw": "shuffle", "to": 99},
            {"offset": 6, "bits": 16, "draw": "repeatable", "period": 7}, {"offset": 8, "values": [3, 1, 4], "once": true}]"#;
        for packets in 0..40 {
            for instance in [(0, 1), (1, 3)] {
                let (mut one, mut other) = (program(vary, instance), program(vary, instance));
                let mut random = Lcg64::new(7);
                let mut bytes = [0; 16];
                (0..packets).for_each(|_| one.apply(&mut bytes, &mut random));
                let mut cells = [0; Compiled::<0>::cells(ITEMS, VALUES)];
                one.store(&mut cells);
                other.load(&cells);
                let mut again = random;
                for _ in 0..20 {
                    let mut beside = [0; 16];
                    one.apply(&mut bytes, &mut random);
                    other.apply(&mut beside, &mut again);
                    assert_eq!(bytes, beside, "{packets} packets, {instance:?}");
                }
            }
        }
    }
}
