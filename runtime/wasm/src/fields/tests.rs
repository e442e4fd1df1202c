use super::*;
use perigee_abi::fields::{Head, Item, Sum, VERSION, source};

/// A plan of one item that writes the packet's length into its first two bytes.
fn plan(change: impl FnOnce(&mut Head, &mut Item)) -> Vec<u8> {
    let mut head = Head { version: VERSION, len: 60, items: 1, slot: 1, ..Head::default() };
    let mut item = Item { source: source::LENGTH, step: 1, every: 1, width: 2, mask: 0xffff, ..Item::default() };
    change(&mut head, &mut item);
    head.to_words().into_iter().chain(item.to_words()).flat_map(u64::to_le_bytes).collect()
}

#[test]
fn a_plan_becomes_a_module_that_is_valid() {
    let made = compile(&plan(|_, _| ())).expect("a plan");
    assert_eq!(made.slot, 1);
    wasmparser::validate(&made.wasm).expect("valid");
}

/// What is said of a plan, and how it is made wrong.
type Case = (&'static str, fn(&mut Head, &mut Item));

#[test]
fn what_breaks_the_abi_is_refused_by_its_name() {
    let cases: [Case; 9] = [
        ("version 2", |head, _| head.version = 2),
        ("larger than plans", |head, _| head.items = 65),
        ("ends too early", |head, _| head.items = 2),
        ("behind the packet's end", |_, item| item.first = 59),
        ("its source", |_, item| item.source = 99),
        ("its source", |_, item| (item.source, item.scale, item.count) = (source::UNIFORM, 1, 0)),
        ("not in the pool", |_, item| item.is_list = 1),
        ("a later item", |_, item| item.carry = 1),
        ("its width", |_, item| item.width = 3),
    ];
    for (said, change) in cases {
        let refused = compile(&plan(change)).expect_err(said);
        assert!(refused.contains(said), "{said}: {refused}");
    }
    let with_sum = |at| {
        let sum = Sum { at, ..Sum::default() };
        let mut bytes = plan(|head, _| head.sums = 1);
        bytes.extend(sum.to_words().into_iter().flat_map(u64::to_le_bytes));
        compile(&bytes)
    };
    with_sum(58).expect("inside");
    assert!(with_sum(59).expect_err("outside").contains("sum 0"));
    assert!(compile(&[]).expect_err("nothing").contains("too early"));
}

/// Whatever the numbers of a plan are: it is refused, or becomes a module that is valid.
#[test]
fn any_plan_is_refused_or_becomes_a_valid_module() {
    let (mut state, mut made) = (1_u64, 0);
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..20_000 {
        let head = Head { version: VERSION, len: 60, items: 2, sums: 1, pool: 9, ..Head::default() };
        let item = Item { source: random(8), step: 1, every: 1, mask: u64::MAX, ..Item::default() };
        let width = [0, 1, 2, 4, 8, 9, 3][usize::try_from(random(7)).unwrap_or(0)];
        let mut words = head.to_words().to_vec();
        words.extend(Item { width, first: random(60), below: random(9), ..item }.to_words());
        words.extend(Item { width: 2, count: 5, scale: 1, carry: random(3), times: random(3), ..item }.to_words());
        words.extend(Sum { at: 24, sum: 7, words: 2, is_udp: random(2) }.to_words());
        words.extend([random(60), random(60)]);
        for _ in 0..random(3) {
            let at = usize::try_from(random(words.len() as u64)).unwrap_or(0);
            words[at] = [0, 1, 2, 8, 63, 64, 255, 1 << 32, u64::MAX][usize::try_from(random(9)).unwrap_or(0)];
        }
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        if let Ok(program) = compile(&bytes) {
            wasmparser::validate(&program.wasm).expect("valid");
            made += 1;
        }
    }
    assert!((1_000..19_000).contains(&made), "{made} of 20000 were compiled");
}
