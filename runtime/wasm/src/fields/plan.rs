//! A plan, read and checked.

use perigee_abi::fields::{
    self, Head, Item, Length, MAX_ITEMS, MAX_LENGTHS, MAX_POOL, MAX_STREAMS, MAX_SUMS, MAX_TEMPLATE, MAX_WORDS,
    MIN_LEN, Stream, Sum, VERSION, gap, open, scale, source, sum, view,
};

/// A plan that makes sense.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) head: Head,
    pub(super) slot: u32,
    pub(super) streams: Vec<Packets>,
    /// Items of all streams.
    pub(super) items: usize,
}

/// The packets of one stream. Words of its pool are counted from the beginning of that of all.
#[derive(Debug)]
pub(super) struct Packets {
    pub(super) stream: Stream,
    /// Number of its first item among those of all streams.
    pub(super) first: usize,
    pub(super) items: Vec<Item>,
    pub(super) lengths: Vec<Length>,
    pub(super) sums: Vec<Checksum>,
    pub(super) template: Vec<u8>,
}

/// A checksum, and the first bytes of the changing words that it adds.
#[derive(Debug)]
pub(super) struct Checksum {
    pub(super) sum: Sum,
    pub(super) words: Vec<u64>,
}

/// Longest packet that a plan can speak of.
const LEN_MAX: u64 = 65_535;

/// Items, lengths and sums up to which a turn of the loop makes two packets.
const SHORT: usize = 6;

/// The words of a plan, one after the other.
struct Words<'p>(std::slice::ChunksExact<'p, u8>);

impl Words<'_> {
    fn next(&mut self) -> Result<u64, String> {
        let word = self.0.next().and_then(|word| word.try_into().ok()).map(u64::from_le_bytes);
        word.ok_or_else(|| "it ends too early".to_owned())
    }

    fn record<const N: usize>(&mut self, what: &str) -> Result<[u64; N], String> {
        fields::read_record(|| self.next())?.ok_or_else(|| format!("{what} has numbers that this host does not know"))
    }
}

/// The first rule that is broken.
fn rules(rules: &[(bool, &'static str)]) -> Result<(), &'static str> {
    rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// What in it breaks the ABI, and where.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut words = Words(bytes.chunks_exact(8));
        let version = words.next()?;
        if version != VERSION {
            return Err(format!("it has version {version}, this host knows version {VERSION}"));
        }
        let head = Head::of_words(words.record("its head")?);
        rules(&[
            ((1..=MAX_STREAMS).contains(&head.streams), "it has no streams, or more than plans may have"),
            (head.choice <= MAX_POOL, "its choice has more words than a pool may have"),
            (head.streams == 1 || head.choice != 0, "it has several streams and no choice between them"),
            (u32::try_from(head.slot).is_ok() && u32::try_from(head.called).is_ok(), "its functions are in no table"),
            (head.gap <= gap::CALLED, "its gaps are of no kind that is known"),
            (u32::try_from(head.gap_beside).is_ok() && u32::try_from(head.gap_kind).is_ok(), "its gaps are too large"),
            (head.gap != gap::BURSTS || head.gap_kind != 0, "its bursts have no packets"),
        ])?;
        let mut plan = Self { head, slot: u32::try_from(head.slot).unwrap_or(u32::MAX), streams: Vec::new(), items: 0 };
        let mut pool = head.choice;
        let mut sums = 0;
        for number in 0..head.streams {
            let said = |what: String| if head.streams == 1 { what } else { format!("stream {number}: {what}") };
            let packets = Packets::read(&mut words, plan.items, &mut pool).map_err(said)?;
            plan.items += packets.items.len();
            sums += packets.sums.len();
            if plan.items > MAX_ITEMS || sums > MAX_SUMS {
                return Err("it has more items or sums than plans may have".to_owned());
            }
            plan.streams.push(packets);
        }
        Ok(plan)
    }

    /// Whether packets have the length that the module gave them, and none is to be written.
    pub(super) fn has_one_len(&self) -> bool {
        matches!(&self.streams[..], [only] if !only.is_sized()) && !self.has_choice()
    }

    /// Whether a stream is chosen for each packet, be it the only one.
    pub(super) fn has_choice(&self) -> bool {
        self.head.choice != 0
    }
}

impl Packets {
    fn read(words: &mut Words<'_>, first: usize, pool: &mut u64) -> Result<Self, String> {
        let stream = Stream::of_words(words.record("its head")?);
        check_stream(&stream)?;
        let base = *pool;
        *pool = pool.saturating_add(stream.pool);
        if *pool > MAX_POOL {
            return Err("its lists and tables are larger than those of plans may be".to_owned());
        }
        let mut items = Vec::new();
        for number in 0..stream.items {
            let said = |what: &str| format!("item {number}: {what}");
            let mut item = Item::of_words(words.record(&format!("item {number}"))?);
            check(&item, &items, &stream).map_err(said)?;
            item.table += base;
            item.list += base;
            items.push(item);
        }
        let mut lengths = Vec::new();
        for number in 0..stream.lengths {
            let length = Length::of_words(words.record(&format!("length {number}"))?);
            if length.at.saturating_add(2) > stream.least || length.less > LEN_MAX {
                return Err(format!("length {number} is not inside the packet"));
            }
            lengths.push(length);
        }
        let sums = (0..stream.sums).map(|number| Checksum::read(words, number, &stream));
        let sums = sums.collect::<Result<Vec<_>, _>>()?;
        let template = (0..stream.template_words).map(|_| words.next()).collect::<Result<Vec<_>, _>>()?;
        let mut template: Vec<u8> = template.into_iter().flat_map(u64::to_le_bytes).collect();
        template.resize(usize::try_from(stream.template).unwrap_or_default(), 0);
        Ok(Self { stream, first, items, lengths, sums, template })
    }

    pub(super) fn is_sized(&self) -> bool {
        self.stream.is_sized != 0
    }

    /// Whether a turn of the loop makes two packets: half as many turns, and draws that wait for each other half as often.
    pub(super) fn is_short(&self) -> bool {
        let parts = self.items.len() + self.lengths.len() + self.sums.len();
        parts <= SHORT && self.template.is_empty() && !self.can_be_short()
    }

    /// Whether packets can be too short for the sums' constants.
    pub(super) fn can_be_short(&self) -> bool {
        self.stream.least < self.stream.full
    }
}

impl Checksum {
    fn read(words: &mut Words<'_>, number: u64, stream: &Stream) -> Result<Self, String> {
        let sum = Sum::of_words(words.record(&format!("sum {number}"))?);
        if sum.words > MAX_WORDS {
            return Err(format!("sum {number} has too many words"));
        }
        let is_crc = sum.kind == sum::CRC32C;
        let of_it = (0..sum.words).map(|_| words.next()).collect::<Result<Vec<_>, _>>()?;
        let width = if is_crc { 4 } else { 2 };
        // What is added lies in all packets that have what the constants count.
        let inside = |at: &u64| at.saturating_add(width) <= stream.full;
        let covered = |at: &u64| !is_crc || (sum.from <= *at && at.saturating_add(width) <= sum.end);
        let apart = || {
            let mut sorted = of_it.clone();
            sorted.sort_unstable();
            sorted.windows(2).all(|pair| pair[1] - pair[0] >= width)
        };
        rules(&[
            (sum.kind <= sum::CRC32C, "is of no kind that is known"),
            (sum.at.saturating_add(width) <= stream.least && of_it.iter().all(inside), "is not inside the packet"),
            (sum.sum <= if is_crc { u64::from(u32::MAX) } else { 0xffff }, "has a constant that is too large"),
            (sum.before <= 0xffff, "has a constant that is too large"),
            (sum.open <= open::WITH_LENGTH, "ends nowhere that is known"),
            (!is_crc || sum.end <= stream.full, "covers more than the packet"),
            (of_it.iter().all(covered), "has a word that it does not cover"),
            (!is_crc || apart(), "has words that overlap"),
            (!is_crc || stream.is_sized == 0, "is a CRC over packets whose length varies"),
            (sum.open == open::CLOSED || sum.from <= stream.least, "begins behind the packet's end"),
            (
                sum.open != open::CLOSED || of_it.iter().all(|at| at.saturating_add(width) <= stream.least),
                "adds what not all packets have",
            ),
        ])
        .map_err(|what| format!("sum {number} {what}"))?;
        Ok(Self { sum, words: of_it })
    }
}

/// What the translation of a stream relies on.
fn check_stream(stream: &Stream) -> Result<(), &'static str> {
    let is_sized = stream.is_sized != 0;
    rules(&[
        (
            stream.items <= MAX_ITEMS as u64 && stream.sums <= MAX_SUMS as u64 && stream.lengths <= MAX_LENGTHS,
            "it is larger than plans may be",
        ),
        (stream.template <= MAX_TEMPLATE, "its template is longer than plans may have"),
        (stream.template_words <= stream.template.div_ceil(8), "its template has more words than bytes"),
        (stream.template == 0 || stream.template >= MIN_LEN, "its template is too short"),
        (stream.most <= LEN_MAX && stream.full <= LEN_MAX, "its packets are too long"),
        (stream.least <= stream.most, "its least length is larger than its largest"),
        (is_sized || stream.len == stream.least && stream.len == stream.most, "its lengths differ, and are not drawn"),
        (is_sized || stream.full == stream.len, "its constants are those of another length"),
        (!is_sized || stream.items != 0 && stream.least >= MIN_LEN, "its lengths are drawn by no item, or too short"),
        (!is_sized || stream.unit != 0 && stream.more <= stream.least, "its lengths have no unit"),
        (stream.pool <= MAX_POOL, "its lists and tables are larger than those of plans may be"),
        (u32::try_from(stream.tx_flags).is_ok(), "its tx_flags are too large"),
        (stream.l2_len <= 255 && stream.l3_len <= 255, "its layers are too long"),
    ])
}

/// What the translation of an item relies on. `before` are the stream's items before it.
fn check(item: &Item, before: &[Item], stream: &Stream) -> Result<(), &'static str> {
    let number = before.len() as u64;
    let in_pool = |first: u64, len: u64| first.checked_add(len).is_some_and(|end| end <= stream.pool);
    let has_scale = match item.scale {
        scale::BITS => item.count <= 32,
        scale::NARROW => item.count != 0 && item.count <= u64::from(u32::MAX),
        scale::WIDE => true,
        _ => false,
    };
    let earlier = usize::try_from(item.earlier).ok().and_then(|earlier| before.get(earlier));
    let has_source = match item.source {
        source::STEPS | source::LENGTH | source::CALLED => true,
        source::UNIFORM | source::REPEATABLE => has_scale,
        source::WEIGHTED => item.table_len != 0 && in_pool(item.table, item.table_len),
        source::EARLIER => {
            earlier.is_some_and(|earlier| item.part == 0 || (item.part <= 2 && earlier.view == view::CLIENTS))
        }
        source::SHUFFLE => item.half <= 32 && item.index_mask >= item.last,
        _ => false,
    };
    let shift = item.shift.cast_signed();
    let end = item.first.saturating_add(item.width);
    let largest = if stream.is_sized != 0 { LEN_MAX } else { stream.len };
    rules(&[
        (has_source, "its source is unknown, or not as it must be"),
        (item.source != source::LENGTH || number != 0 || stream.is_sized == 0, "a length is drawn from the length"),
        (item.view <= view::CLIENTS, "what its indexes become is not known"),
        (item.view != view::LIST || in_pool(item.list, 1), "its list is not in the pool"),
        (item.table <= MAX_POOL && item.list <= MAX_POOL, "its list is not in the pool"),
        (item.carry <= number, "it carries from a later item"),
        (item.times < u64::from(u32::MAX), "its values stay too long"),
        ((-63..=63).contains(&shift), "it is shifted by more than 63 bits"),
        (item.swapped <= 64 && item.swapped.is_multiple_of(8), "its swapped bits are no bytes"),
        (matches!(item.width, 0 | 1 | 2 | 4 | 8 | 9), "its width is none of 0, 1, 2, 4, 8, 9"),
        (item.below < 64 && (item.width != 9 || item.below < 8), "its place is beyond its bytes"),
        (item.width == 0 || end <= largest, "its place is behind the packet's end"),
    ])
}
