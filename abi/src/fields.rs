//! The plan of a generator's fields: what varies from packet to packet, told to the host as data, so that the host can make machine
//! code of it (docs/field-engine.md, "Compiled").
//!
//! A plan is a list of 64-bit words, lowest byte first: one [`Head`], then [`Head::items`] times an [`Item`], then
//! [`Head::sums`] times a [`Sum`], each followed by [`Sum::words`] words: the first bytes of 16-bit words of the packet that
//! it adds.
//!
//! What the host makes of it is a function `(descs: i32, count: i32, cells: i32, verdict: i32) -> i32`, which it puts into the module's
//! exported table ([`crate::names::TABLE`]) in the place of the module's own ([`Head::slot`]). `descs` is the address of `count`
//! descriptors in a row, `cells` that of the state: [`cells`] says what is where. It varies each packet, writes the verdict
//! into its descriptor, and returns [`DONE`]. The module's own function returns something else, so that a module whose plan was
//! not compiled finds out by calling it.

/// Value of [`Head::version`].
pub const VERSION: u64 = 1;
/// What the function in the table returns where the host has put it there.
pub const DONE: u32 = 1;
/// Most items of a plan.
pub const MAX_ITEMS: u64 = 64;
/// Most sums of a plan, and most words of each.
pub const MAX_SUMS: u64 = 64;

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
        /// [`VERSION`].
        version,
        /// Place in the module's table where the host puts its function.
        slot,
        /// Length of each packet in bytes.
        len,
        /// Number of items.
        items,
        /// Number of sums.
        sums,
        /// Number of words in the pool, behind the items' cells.
        pool,
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
        /// First word of a table in the pool, of `WEIGHTED`.
        table,
        /// Its number of words.
        table_len,
        /// Number of the earlier item whose value this one takes, of `EARLIER`.
        earlier,
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
        /// 0: a value is `base + index * step`; 1: the word of the pool at `list + index`.
        is_list,
        /// Value of index 0.
        base,
        /// Added for each index; may wrap around.
        step,
        /// First word of the list in the pool.
        list,
        /// Turns that a value stays for, beside its first one.
        times,
        /// Turns from one packet of this instance to its next.
        every,
        /// Number of the item whose rounds are this one's turns, plus 1; 0: none.
        carry,
        /// Added to each value; may wrap around.
        add,
        /// Bits by which the sum is shifted to the left; those to the right are negative numbers in two's complement.
        shift,
        /// Bits whose bytes are turned round, 0 to 64.
        swapped,
        /// Bytes that are written, highest first: 1, 2, 4, 8 or 9; 0: nothing is written.
        width,
        /// The first of them.
        first,
        /// Bits below the place in these bytes.
        below,
        /// Bits of the place that are written.
        mask,
    }
}

record! {
    /// A checksum: 16-bit words are added, the sum is folded and inverted, and written in network order.
    Sum {
        /// First byte of its place.
        at,
        /// The sum of all that does not change.
        sum,
        /// 1: a result of 0 is written as 0xffff.
        is_udp,
        /// Number of changing words, whose first bytes follow.
        words,
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

/// Where the state lies that goes on from batch to batch, in words from the start of the cells.
pub mod cells {
    /// State of the random generator (64-bit linear congruential, Knuth's constants).
    pub const RANDOM: usize = 0;
    /// Where the first item's cells begin.
    pub const ITEMS: usize = 1;
    /// Cells of an item.
    pub const PER_ITEM: usize = 5;
    /// Turns that the value is left for.
    pub const LEFT: usize = 0;
    /// Turns that the first packet brings; 0 after it.
    pub const FIRST: usize = 1;
    /// The value.
    pub const DRAWN: usize = 2;
    /// Index of the next value.
    pub const INDEX: usize = 3;
    /// Rounds that end between the value before and the next one.
    pub const CROSSED: usize = 4;

    /// Where the pool begins, which holds lists and tables.
    #[must_use]
    pub const fn pool(items: usize) -> usize {
        ITEMS + items * PER_ITEM
    }
}
