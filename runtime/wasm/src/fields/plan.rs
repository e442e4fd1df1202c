//! A plan, read and checked.

use perigee_abi::fields::{Head, Item, MAX_ITEMS, MAX_SUMS, Sum, VERSION, scale, source};

/// A plan that makes sense.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) slot: u32,
    pub(super) len: u64,
    pub(super) tx_flags: u32,
    pub(super) l2_len: u8,
    pub(super) l3_len: u8,
    pub(super) items: Vec<Item>,
    pub(super) sums: Vec<Checksum>,
}

/// A checksum, and the first bytes of the changing words that it adds.
#[derive(Debug)]
pub(super) struct Checksum {
    pub(super) sum: Sum,
    pub(super) words: Vec<u64>,
}

/// Longest packet that a plan can speak of.
const LEN_MAX: u64 = 65_535;
/// Most words of a pool.
const POOL_MAX: u64 = 65_536;

/// The words of a plan, one after the other.
struct Words<'p>(std::slice::ChunksExact<'p, u8>);

impl Words<'_> {
    fn next(&mut self) -> Result<u64, String> {
        let word = self.0.next().and_then(|word| word.try_into().ok()).map(u64::from_le_bytes);
        word.ok_or_else(|| "it ends too early".to_owned())
    }

    fn take<const N: usize>(&mut self) -> Result<[u64; N], String> {
        let mut words = [0; N];
        words.iter_mut().try_for_each(|word| self.next().map(|next| *word = next))?;
        Ok(words)
    }
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// What in it breaks the ABI.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut words = Words(bytes.chunks_exact(8));
        let head = Head::of_words(words.take()?);
        if head.version != VERSION {
            return Err(format!("it has version {}, this host knows version {VERSION}", head.version));
        }
        if head.items > MAX_ITEMS || head.sums > MAX_SUMS || head.pool > POOL_MAX || head.len > LEN_MAX {
            return Err("it is larger than plans may be".to_owned());
        }
        let mut items = Vec::new();
        for number in 0..head.items {
            let item = Item::of_words(words.take()?);
            check(&item, number, &head).map_err(|what| format!("item {number}: {what}"))?;
            items.push(item);
        }
        let mut sums = Vec::new();
        for number in 0..head.sums {
            let sum = Sum::of_words(words.take()?);
            if sum.words > MAX_SUMS {
                return Err(format!("sum {number} has too many words"));
            }
            let of_it = (0..sum.words).map(|_| words.next()).collect::<Result<Vec<_>, _>>()?;
            if sum.sum > 0xffff || of_it.iter().chain([&sum.at]).any(|&at| at.saturating_add(2) > head.len) {
                return Err(format!("sum {number} is not inside the packet"));
            }
            sums.push(Checksum { sum, words: of_it });
        }
        let narrow = |word: u64, what: &str| u32::try_from(word).map_err(|_| format!("its {what} is too large"));
        let byte = |word: u64| u8::try_from(word).map_err(|_| "its layers are too long".to_owned());
        Ok(Self {
            slot: narrow(head.slot, "slot")?,
            len: head.len,
            tx_flags: narrow(head.tx_flags, "tx_flags")?,
            l2_len: byte(head.l2_len)?,
            l3_len: byte(head.l3_len)?,
            items,
            sums,
        })
    }
}

/// What the translation of an item relies on.
fn check(item: &Item, number: u64, head: &Head) -> Result<(), &'static str> {
    let in_pool = |first: u64, len: u64| first.checked_add(len).is_some_and(|end| end <= head.pool);
    let has_scale = match item.scale {
        scale::BITS => item.count <= 32,
        scale::NARROW => item.count != 0 && item.count <= u64::from(u32::MAX),
        scale::WIDE => true,
        _ => false,
    };
    let has_source = match item.source {
        source::STEPS | source::LENGTH => true,
        source::UNIFORM | source::REPEATABLE => has_scale,
        source::WEIGHTED => item.table_len != 0 && in_pool(item.table, item.table_len),
        source::EARLIER => item.earlier < number,
        source::SHUFFLE => item.half <= 32 && item.index_mask >= item.last,
        _ => false,
    };
    let shift = item.shift.cast_signed();
    let end = item.first.saturating_add(item.width);
    let checks = [
        (has_source, "its source is unknown, or not as it must be"),
        (item.is_list == 0 || in_pool(item.list, 1), "its list is not in the pool"),
        (item.carry <= number, "it carries from a later item"),
        (item.times < u64::from(u32::MAX), "its values stay too long"),
        ((-63..=63).contains(&shift), "it is shifted by more than 63 bits"),
        (item.swapped <= 64 && item.swapped.is_multiple_of(8), "its swapped bits are no bytes"),
        (matches!(item.width, 0 | 1 | 2 | 4 | 8 | 9), "its width is none of 0, 1, 2, 4, 8, 9"),
        (item.below < 64 && (item.width != 9 || item.below < 8), "its place is beyond its bytes"),
        (item.width == 0 || end <= head.len, "its place is behind the packet's end"),
    ];
    checks.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
}
