//! The plan of a generator's fields: what varies from packet to packet, told to the host as data, so that the host can make machine
//! code of it (docs/field-engine.md, "Compiled").
//!
//! A plan is a list of 64-bit words, lowest byte first: [`VERSION`], one [`Head`], then for each stream a [`Stream`] and what it counts, in
//! this order: [`Stream::items`] times an [`Item`], [`Stream::lengths`] times a [`Length`], [`Stream::sums`] times a [`Sum`], each
//! followed by [`Sum::words`] words, the first bytes of 16-bit words of the packet that it adds (of 32-bit words where it is a CRC), and the
//! template: as many words as [`Stream::template`] bytes take without the zeros at their end, [`Stream::template_words`].
//!
//! Most numbers of a record are 0. So it is written as one word whose bit `n` says that the record's number `n` is not 0, and then those
//! numbers ([`record`]).
//!
//! What the host makes of it is a function `(descs: i32, count: i32, cells: i32, verdict: i32) -> i32`, which it puts into the module's
//! exported table ([`crate::names::TABLE`]) in the place of the module's own ([`Head::slot`]). `descs` is the address of `count`
//! descriptors in a row, `cells` that of the state: [`cells`] says what is where. It makes each packet, writes the verdict
//! into its descriptor, and returns [`DONE`]. The module's own function returns something else, so that a module whose plan was
//! not compiled finds out by calling it.
//!
//! For each packet it does, in this order: one of several streams is chosen at random by weights; the packet's length is drawn; the
//! template is written, and zeros behind it; the lengths of headers are written; each item is drawn and written; checksums are
//! written; the gap to the packet before is drawn.
//!
//! Draws whose mathematics is the module's own are asked of the module: a function of its table ([`Head::called`]) with the
//! parameters `(to: i32, kind: i64, 5 arguments: i64, random: i64)` writes two words to the address `to`: what was drawn, and the state of
//! the random generator behind it.

/// The first word of a plan.
pub const VERSION: u64 = 2;
/// What the function in the table returns where the host has put it there.
pub const DONE: u32 = 1;
/// Most streams of a plan.
pub const MAX_STREAMS: u64 = 16;
/// Most items of all streams together.
pub const MAX_ITEMS: usize = 128;
/// Most lengths of a stream.
pub const MAX_LENGTHS: u64 = 16;
/// Most sums of all streams together.
pub const MAX_SUMS: usize = 64;
/// Most words of a sum.
pub const MAX_WORDS: u64 = 64;
/// Longest template in bytes.
pub const MAX_TEMPLATE: u64 = 2048;
/// Most words of all lists and tables together.
pub const MAX_POOL: u64 = 65_536;
/// Shortest packet of a stream whose template is written into each packet, or whose length is drawn.
pub const MIN_LEN: u64 = 16;

/// Writes a record's numbers as a plan has them.
///
/// # Errors
/// That of `push`.
pub fn record<const N: usize, E>(numbers: [u64; N], mut push: impl FnMut(u64) -> Result<(), E>) -> Result<(), E> {
    const { assert!(N <= 64, "each number of a record has its bit in one word") };
    let set = numbers.iter().enumerate().fold(0, |set, (bit, &number)| set | u64::from(number != 0) << bit);
    push(set)?;
    numbers.into_iter().filter(|&number| number != 0).try_for_each(push)
}

/// Reads a record's numbers; nothing where bits are set that it has no numbers for. `next` gives the plan's next word.
///
/// # Errors
/// That of `next`.
pub fn read_record<const N: usize, E>(mut next: impl FnMut() -> Result<u64, E>) -> Result<Option<[u64; N]>, E> {
    const { assert!(N <= 64, "each number of a record has its bit in one word") };
    let set = next()?;
    if N < 64 && set >> N != 0 {
        return Ok(None);
    }
    let mut numbers = [0; N];
    let places = numbers.iter_mut().enumerate().filter(|(bit, _)| set >> bit & 1 != 0);
    for (_, number) in places {
        *number = next()?;
    }
    Ok(Some(numbers))
}

/// Defines a record of 64-bit words.
macro_rules! record {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl $name {
            /// Words of one.
            pub const WORDS: usize = [$(stringify!($field)),+].len();

            /// As words, in the order of the fields.
            #[must_use]
            pub const fn to_words(self) -> [u64; Self::WORDS] {
                [$(self.$field),+]
            }

            /// Of words.
            #[must_use]
            pub const fn of_words([$($field),+]: [u64; Self::WORDS]) -> Self {
                Self { $($field),+ }
            }
        }
    };
}

record! {
    /// The plan as a whole.
    Head {
        /// Place in the module's table where the host puts its function.
        slot,
        /// Number of streams.
        streams,
        /// Words of the table that chooses a stream, as [`source::WEIGHTED`] has it: the first ones of the pool. 0: there is no choice.
        choice,
        /// Place in the module's table of the function that draws for [`source::CALLED`] and for gaps.
        called,
        /// One of [`gap`].
        gap,
        /// Nanoseconds for each packet, as the bits of a float of 64.
        gap_each,
        /// Nanoseconds for each byte on the wire, as the bits of a float.
        gap_byte,
        /// Bytes on the wire beside a packet's own.
        gap_beside,
        /// What else the gap's shape has: packets of a burst, or for [`gap::CALLED`] the kind that is asked for.
        gap_kind,
        /// The second argument of [`gap::CALLED`]; the mean is the first.
        gap_arg,
    }
}

record! {
    /// One stream: the packets of one template.
    Stream {
        /// Length of each packet in bytes, where it does not vary.
        len,
        /// 1: the length is the value of the first item, which is written nowhere.
        is_sized,
        /// Least length; what is drawn shorter becomes as long.
        least,
        /// Largest length.
        most,
        /// Lengths are so much more than a multiple of [`Self::unit`].
        more,
        /// See `more`; 1 allows all lengths.
        unit,
        /// Packets of at least this length have all that the sums' constants count.
        full,
        /// Number of items.
        items,
        /// Number of headers' lengths.
        lengths,
        /// Number of sums.
        sums,
        /// Number of words in the pool.
        pool,
        /// Bytes of the template that is written into each packet; 0: it is there already.
        template,
        /// Words of the template that follow.
        template_words,
        /// Checksums that are asked of the way out: [`crate::tx_flags`]. 0: nothing is written there.
        tx_flags,
        /// Goes with `tx_flags`: [`crate::PacketDesc::l2_len`].
        l2_len,
        /// Goes with `tx_flags`: [`crate::PacketDesc::l3_len`].
        l3_len,
    }
}

record! {
    /// What one item draws, and where it is written. docs/field-engine.md says what the words mean to an operator.
    Item {
        /// One of [`source`].
        source,
        /// Largest index of a round, of `STEPS`, `SHUFFLE` and `REPEATABLE`.
        last,
        /// Indexes from one value to the next: the number of instances that share the round.
        stride,
        /// 1: stays at the largest index.
        stays,
        /// One of [`scale`], of `UNIFORM` and `REPEATABLE`.
        scale,
        /// What the scale counts.
        count,
        /// First word of a table in the stream's pool, of `WEIGHTED`.
        table,
        /// Its number of words.
        table_len,
        /// Number of the stream's earlier item whose value this one takes, of `EARLIER`.
        earlier,
        /// Which of its values: 0, or of [`view::CLIENTS`] 1 for the port and 2 for the MAC address.
        part,
        /// Bits of an index, of `SHUFFLE`.
        index_mask,
        /// By how many bits they are folded, at most 32.
        half,
        /// Keys of the three rounds.
        key_0,
        /// See `key_0`.
        key_1,
        /// See `key_0`.
        key_2,
        /// Where the generator of each value begins, of `REPEATABLE`.
        seed,
        /// What is asked for, of `CALLED`.
        kind,
        /// Its arguments.
        arg_0,
        /// See `arg_0`.
        arg_1,
        /// See `arg_0`.
        arg_2,
        /// See `arg_0`.
        arg_3,
        /// See `arg_0`.
        arg_4,
        /// One of [`view`]: what an index becomes.
        view,
        /// Value of index 0; of `CLIENTS` the first address.
        base,
        /// Added for each index; may wrap around.
        step,
        /// First word of the list in the stream's pool.
        list,
        /// Number of the last client, of `CLIENTS`.
        last_client,
        /// The first port.
        port,
        /// The first MAC address.
        mac,
        /// Turns that a value stays for, beside its first one.
        times,
        /// Turns from one packet of this instance to its next.
        every,
        /// Number of the stream's item whose rounds are this one's turns, plus 1; 0: none.
        carry,
        /// Added to each value; may wrap around.
        add,
        /// Bits by which the sum is shifted to the left; those to the right are negative numbers in two's complement.
        shift,
        /// Bits whose bytes are turned round, 0 to 64.
        swapped,
        /// Bytes that are written, highest first: 1, 2, 4, 8 or 9; 0: nothing is written.
        width,
        /// The first of them. A packet that ends before them is not written to.
        first,
        /// Bits below the place in these bytes.
        below,
        /// Bits of the place that are written.
        mask,
    }
}

record! {
    /// A header's field of 16 bits that says how long the packet is from somewhere on.
    Length {
        /// Its first byte.
        at,
        /// Subtracted from the packet's length, modulo 2^16.
        less,
    }
}

record! {
    /// A checksum: 16-bit words are added, the sum is folded and inverted, and written in network order.
    Sum {
        /// First byte of its place.
        at,
        /// One of [`sum`].
        kind,
        /// The sum of all that does not change; of a CRC, that of the bytes without those that change.
        sum,
        /// Number of changing words, whose first bytes follow.
        words,
        /// One of [`open`]: whether it goes to the packet's end.
        open,
        /// First byte that it covers, beside those of other headers, which lie before it.
        from,
        /// Of an open sum: what does not change and lies before `from`.
        before,
        /// The byte behind the last one that a CRC covers.
        end,
    }
}

/// Values of [`Item::source`].
pub mod source {
    /// Indexes one after the other.
    pub const STEPS: u64 = 0;
    /// Random indexes.
    pub const UNIFORM: u64 = 1;
    /// Indexes by weights: a table of Walker's alias method, `threshold << 16 | alias`.
    pub const WEIGHTED: u64 = 2;
    /// The value of an earlier item.
    pub const EARLIER: u64 = 3;
    /// The packet's length.
    pub const LENGTH: u64 = 4;
    /// Indexes in a random order, each once.
    pub const SHUFFLE: u64 = 5;
    /// Random indexes, the same in each round.
    pub const REPEATABLE: u64 = 6;
    /// Indexes that the module's own function draws.
    pub const CALLED: u64 = 7;
}

/// Values of [`Item::scale`].
pub mod scale {
    /// So many upper bits of a draw, at most 32.
    pub const BITS: u64 = 0;
    /// So many numbers, less than 2^32.
    pub const NARROW: u64 = 1;
    /// So many numbers; 0 for all 2^64.
    pub const WIDE: u64 = 2;
}

/// Values of [`Item::view`].
pub mod view {
    /// `base + index * step`.
    pub const RANGE: u64 = 0;
    /// The word of the pool at `list + index`.
    pub const LIST: u64 = 1;
    /// A flow of clients: index modulo clients is the client, and the quotient says which of its ports.
    pub const CLIENTS: u64 = 2;
}

/// Values of [`Sum::kind`].
pub mod sum {
    /// The Internet checksum.
    pub const INTERNET: u64 = 0;
    /// That of UDP: a result of 0 is written as 0xffff.
    pub const UDP: u64 = 1;
    /// The CRC32c of SCTP: four bytes, the lowest first.
    pub const CRC32C: u64 = 2;
}

/// Values of [`Sum::open`].
pub mod open {
    /// It ends where the least packet has its bytes.
    pub const CLOSED: u64 = 0;
    /// It goes to the packet's end.
    pub const PLAIN: u64 = 1;
    /// And the length from [`super::Sum::from`] to there is added.
    pub const WITH_LENGTH: u64 = 2;
}

/// Values of [`Head::gap`].
pub mod gap {
    /// Nothing is asked.
    pub const NONE: u64 = 0;
    /// The mean.
    pub const CONSTANT: u64 = 1;
    /// None inside a burst, and then one for all of its packets.
    pub const BURSTS: u64 = 2;
    /// What the module's own function draws for the mean, as the bits of a float.
    pub const CALLED: u64 = 3;
}

/// Where the state lies that goes on from batch to batch, in words from the start of the cells.
pub mod cells {
    /// State of the random generator (64-bit linear congruential, Knuth's constants).
    pub const RANDOM: usize = 0;
    /// Bytes of the packets that the last call made, where there is a choice between streams or lengths are drawn.
    pub const BYTES: usize = 1;
    /// What the module's own function writes: a value, and the random generator's state.
    pub const CALLED: usize = 2;
    /// Of gaps: the part of a nanosecond that is left, as the bits of a float.
    pub const GAP_REST: usize = 4;
    /// Of gaps: packets of the burst still to come.
    pub const GAP_LEFT: usize = 5;
    /// Of gaps: what the burst takes so far, as the bits of a float.
    pub const GAP_SAVED: usize = 6;
    /// Of gaps: length of the packet before.
    pub const GAP_BEFORE: usize = 7;
    /// Where the first item's cells begin. Those of all streams follow, in their order.
    pub const ITEMS: usize = 8;
    /// Cells of an item.
    pub const PER_ITEM: usize = 7;
    /// Turns that the value is left for.
    pub const LEFT: usize = 0;
    /// Turns that the first packet brings; 0 after it.
    pub const FIRST: usize = 1;
    /// The value.
    pub const DRAWN: usize = 2;
    /// Of clients: the port.
    pub const PORT: usize = 3;
    /// Of clients: the MAC address.
    pub const MAC: usize = 4;
    /// Index of the next value.
    pub const INDEX: usize = 5;
    /// Rounds that end between the value before and the next one.
    pub const CROSSED: usize = 6;

    /// Where the pool begins, which holds lists and tables: that of the choice between streams, then those of each stream.
    #[must_use]
    pub const fn pool(items: usize) -> usize {
        ITEMS + items * PER_ITEM
    }
}
