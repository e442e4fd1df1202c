use super::*;
use perigee_abi::fields::{
    Head, Item, Length, MAX_ITEMS, MAX_SUMS, Stream, Sum, VERSION, gap, open, record, source, sum, view,
};

/// A plan in the making.
#[derive(Default)]
struct Made(Vec<u64>);

impl Made {
    fn new(head: Head) -> Self {
        Self(vec![VERSION]).add(head.to_words())
    }

    fn add<const N: usize>(mut self, numbers: [u64; N]) -> Self {
        let Ok(()) = record(numbers, |word| -> Result<(), std::convert::Infallible> {
            self.0.push(word);
            Ok(())
        });
        self
    }

    fn words(mut self, words: &[u64]) -> Self {
        self.0.extend(words);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn compile(&self) -> Result<Program, String> {
        compile(&self.bytes())
    }
}

const HEAD: Head = Head { slot: 1, streams: 1, ..Head::of_words([0; Head::WORDS]) };
/// Packets of 60 bytes.
const STREAM: Stream =
    Stream { len: 60, least: 60, most: 60, full: 60, unit: 1, items: 1, ..Stream::of_words([0; Stream::WORDS]) };
/// The packet's length, into its first two bytes.
const ITEM: Item =
    Item { source: source::LENGTH, step: 1, every: 1, width: 2, mask: 0xffff, ..Item::of_words([0; Item::WORDS]) };

/// A plan of one item.
fn plan(change: impl FnOnce(&mut Head, &mut Stream, &mut Item)) -> Made {
    let (mut head, mut stream, mut item) = (HEAD, STREAM, ITEM);
    change(&mut head, &mut stream, &mut item);
    Made::new(head).add(stream.to_words()).add(item.to_words())
}

#[test]
fn a_plan_becomes_a_module_that_is_valid() {
    let made = plan(|_, _, _| ()).compile().expect("a plan");
    assert_eq!((made.slot, made.calls), (1, false));
    wasmparser::validate(&made.wasm).expect("valid");
    let asks = plan(|_, _, item| item.source = source::CALLED).compile().expect("a plan");
    assert!(asks.calls);
    wasmparser::validate(&asks.wasm).expect("valid");
}

/// What is said of a plan, and how it is made wrong.
type Case = (&'static str, fn(&mut Head, &mut Stream, &mut Item));

#[test]
fn what_breaks_the_abi_is_refused_by_its_name() {
    let cases: [Case; 27] = [
        ("no streams, or more", |head, _, _| head.streams = 0),
        ("no streams, or more", |head, _, _| head.streams = 17),
        ("no choice between them", |head, _, _| head.streams = 2),
        ("in no table", |head, _, _| head.slot = 1 << 32),
        ("gaps are of no kind", |head, _, _| head.gap = 4),
        ("bursts have no packets", |head, _, _| head.gap = gap::BURSTS),
        ("larger than plans", |_, stream, _| stream.items = 129),
        ("ends too early", |_, stream, _| stream.items = 2),
        ("template is longer", |_, stream, _| stream.template = 2049),
        ("more words than bytes", |_, stream, _| (stream.template, stream.template_words) = (16, 3)),
        ("template is too short", |_, stream, _| stream.template = 15),
        ("packets are too long", |_, stream, _| (stream.len, stream.least, stream.most) = (1 << 16, 1 << 16, 1 << 16)),
        ("least length", |_, stream, _| stream.most = 59),
        ("lengths differ", |_, stream, _| stream.most = 61),
        ("of another length", |_, stream, _| stream.full = 59),
        ("drawn by no item", |_, stream, _| (stream.is_sized, stream.items) = (1, 0)),
        ("have no unit", |_, stream, _| (stream.is_sized, stream.unit) = (1, 0)),
        ("drawn from the length", |_, stream, _| stream.is_sized = 1),
        ("lists and tables are larger", |_, stream, _| stream.pool = 65_537),
        ("behind the packet's end", |_, _, item| item.first = 59),
        ("its source", |_, _, item| item.source = 99),
        ("its source", |_, _, item| (item.source, item.scale, item.count) = (source::UNIFORM, 1, 0)),
        ("not in the pool", |_, _, item| item.view = view::LIST),
        ("its source", |_, _, item| (item.source, item.part) = (source::EARLIER, 1)),
        ("a later item", |_, _, item| item.carry = 1),
        ("its width", |_, _, item| item.width = 3),
        ("indexes become", |_, _, item| item.view = 3),
    ];
    for (said, change) in cases {
        let refused = plan(change).compile().expect_err(said);
        assert!(refused.contains(said), "{said}: {refused}");
    }
    assert!(compile(&[]).expect_err("nothing").contains("too early"));
    assert!(compile(&1_u64.to_le_bytes()).expect_err("old").contains("version 1, this host knows version 2"));
    let unknown = Made(vec![VERSION, 1 << Head::WORDS]).compile().expect_err("a number too many");
    assert!(unknown.contains("its head has numbers"), "{unknown}");
}

#[test]
fn lengths_and_sums_are_inside_the_packet() {
    let with_length = |at| {
        let made = plan(|_, stream, _| stream.lengths = 1);
        made.add(Length { at, less: 14 }.to_words()).compile()
    };
    with_length(58).expect("inside");
    assert!(with_length(59).expect_err("outside").contains("length 0"));
    let with_sum = |sum: Sum, words: &[u64]| {
        let made = plan(|_, stream, _| stream.sums = 1);
        made.add(Sum { words: words.len() as u64, ..sum }.to_words()).words(words).compile().map(|made| made.wasm)
    };
    let crc = Sum { kind: sum::CRC32C, at: 42, from: 34, end: 60, ..Sum::default() };
    for (sum, words) in [(Sum { at: 58, ..Sum::default() }, &[24][..]), (crc, &[34, 38, 56])] {
        wasmparser::validate(&with_sum(sum, words).expect("inside")).expect("valid");
    }
    let cases = [
        ("sum 0 is not inside", Sum { at: 59, ..Sum::default() }, &[][..]),
        ("sum 0 is not inside", Sum::default(), &[59]),
        ("sum 0 is of no kind", Sum { kind: 3, ..Sum::default() }, &[]),
        ("sum 0 has a constant", Sum { sum: 1 << 16, ..Sum::default() }, &[]),
        ("sum 0 has a word that it does not cover", crc, &[30]),
        ("sum 0 has words that overlap", crc, &[34, 37]),
        ("sum 0 covers more", Sum { end: 61, ..crc }, &[]),
        ("sum 0 begins behind", Sum { open: open::PLAIN, from: 61, ..Sum::default() }, &[]),
    ];
    for (said, sum, words) in cases {
        let refused = with_sum(sum, words).expect_err(said);
        assert!(refused.contains(said), "{said}: {refused}");
    }
}

/// Random numbers below others.
fn random() -> impl FnMut(u64) -> u64 {
    let mut state = 1_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Whatever the numbers of a plan are: it is refused, or becomes a module that is valid.
#[test]
fn any_plan_is_refused_or_becomes_a_valid_module() {
    let (mut random, mut compiled) = (random(), 0);
    for _ in 0..20_000 {
        let streams = 1 + random(2);
        let head = Head { choice: 8 * (streams - 1), gap: random(4), gap_kind: 3, streams, ..HEAD };
        let mut made = Made::new(head);
        for _ in 0..streams {
            let is_sized = random(2);
            let (least, most, full) = if is_sized == 0 { (60, 60, 60) } else { (60, 1514, 60 + 20 * random(2)) };
            let template = [0, 60, 49][usize::try_from(random(3)).unwrap_or(0)];
            let stream =
                Stream { is_sized, least, most, full, template, items: 3, lengths: 1, sums: 1, pool: 9, ..STREAM };
            made = made.add(stream.to_words());
            let item = Item { source: random(9), mask: u64::MAX, ..ITEM };
            let width = [0, 1, 2, 4, 8, 9, 3][usize::try_from(random(7)).unwrap_or(0)];
            let drawn = Item { source: source::UNIFORM, count: 5, scale: 1, view: random(3), ..ITEM };
            made = made.add(drawn.to_words());
            made = made.add(Item { width, first: random(60), below: random(9), ..item }.to_words());
            made = made.add(Item { carry: random(3), times: random(3), ..drawn }.to_words());
            made = made.add(Length { at: random(60), less: 14 }.to_words());
            let (kind, open) = (random(3), if is_sized == 0 { 0 } else { 1 + random(2) });
            made =
                made.add(Sum { at: 24, sum: 7, words: 2, kind, open, from: 20, end: 60, ..Sum::default() }.to_words());
            made = made.words(&[20 + random(40), 20 + random(40)]);
        }
        for _ in 0..random(3) {
            let at = usize::try_from(random(made.0.len() as u64)).unwrap_or(0);
            made.0[at] = [0, 1, 2, 8, 63, 64, 255, 1 << 32, u64::MAX][usize::try_from(random(9)).unwrap_or(0)];
        }
        if let Ok(program) = made.compile() {
            wasmparser::validate(&program.wasm).expect("valid");
            compiled += 1;
        }
    }
    assert!((1_000..19_000).contains(&compiled), "{compiled} of 20000 were compiled");
}

/// The largest plan still becomes a module.
#[test]
fn the_largest_plan_has_an_end() {
    let streams = 16;
    let head = Head { choice: streams, gap: gap::BURSTS, gap_kind: 3, streams, ..HEAD };
    let mut made = Made::new(head);
    for _ in 0..streams {
        let (items, sums) = (MAX_ITEMS as u64 / streams, MAX_SUMS as u64 / streams);
        let sized =
            Stream { is_sized: 1, least: 60, most: 9000, full: 2048, template: 2048, template_words: 256, ..STREAM };
        made = made.add(Stream { items, sums, lengths: 16, ..sized }.to_words());
        for number in 0..items {
            let (carry, last) = (number, u64::MAX / 3);
            let shuffle =
                Item { source: source::SHUFFLE, last, index_mask: u64::MAX, half: 32, carry, times: 5, ..ITEM };
            made = made.add(
                Item { width: 9, mask: u64::MAX, below: 3, key_0: 9, swapped: 64, stride: 3, ..shuffle }.to_words(),
            );
        }
        (0..16).for_each(|at| made = std::mem::take(&mut made).add(Length { at, less: at }.to_words()));
        for _ in 0..sums {
            let words: Vec<u64> = (0..64).map(|at| 2 * at).collect();
            let sum = Sum { at: 24, words: 64, open: open::WITH_LENGTH, from: 20, ..Sum::default() };
            made = made.add(sum.to_words()).words(&words);
        }
        made = made.words(&[0x1234_5678_9abc_def0; 256]);
    }
    let program = made.compile().expect("as large as plans may be");
    wasmparser::validate(&program.wasm).expect("valid");
    println!("{} bytes of plan, {} of code", made.bytes().len(), program.wasm.len());
    assert!(program.wasm.len() < 1 << 20, "{} bytes", program.wasm.len());
}
