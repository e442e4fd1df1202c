//! Bulk memory operations at every edge that a module can reach: they run in host code, where a fault would be the host's.

use super::module::Hostile;
use super::text::{PAGES, WINDOW, WINDOW_LEN};

/// An edge, as code that gives its address, and whether what begins there is still memory.
struct Edge {
    name: &'static str,
    address: &'static str,
    beyond: bool,
}

const EDGES: [Edge; 6] = [
    Edge { name: "window-start", address: "(i32.load offset=48 (i32.const @batch))", beyond: false },
    Edge {
        name: "window-end",
        address: "(i32.add (i32.load offset=48 (i32.const @batch)) (i32.load offset=52 (i32.const @batch)))",
        beyond: false,
    },
    Edge { name: "declared-start", address: "(i32.const @declared)", beyond: false },
    Edge { name: "declared-end", address: "(i32.const @end)", beyond: false },
    Edge { name: "memory-end", address: "(i32.const @memory)", beyond: true },
    Edge { name: "address-end", address: "(i32.const 0)", beyond: true },
];

/// How an operation of some bytes lies to the edge: bytes in front of it, and in all.
const SHAPES: [(&str, i32, i32); 6] =
    [("before", 16, 16), ("behind", 0, 16), ("across", 8, 16), ("across-one", 1, 2), ("empty", 0, 0), ("huge", 8, -1)];

const OPERATIONS: [(&str, &str); 5] = [
    ("fill", "(memory.fill (local.get $a) (i32.const 0) (i32.const @len))"),
    ("copy-from", "(memory.copy (i32.const 1024) (local.get $a) (i32.const @len))"),
    ("copy-to", "(memory.copy (local.get $a) (i32.const 1024) (i32.const @len))"),
    ("copy-overlapping", "(memory.copy (i32.add (local.get $a) (i32.const 1)) (local.get $a) (i32.const @len))"),
    ("init", "(memory.init $bytes (local.get $a) (i32.const 0) (i32.const @len))"),
];

/// One module for each operation, edge and way to lie there: all that stays in the memory does nothing to the host, and all
/// that does not is a trap.
#[must_use]
pub fn catalogue() -> Vec<Hostile> {
    let mut all = Vec::new();
    for (operation, code) in OPERATIONS {
        for edge in &EDGES {
            for (shape, before, len) in SHAPES {
                all.push(one(operation, code, edge, (shape, before, len)));
            }
        }
    }
    all
}

fn one(operation: &str, code: &str, edge: &Edge, (shape, before, len): (&str, i32, i32)) -> Hostile {
    let overlapping = i32::from(operation == "copy-overlapping");
    // From the end of the addresses on there are the first ones again; an empty operation there is one at 0.
    let wraps = edge.name == "address-end";
    let last = len - before + overlapping;
    let traps = len == -1 || edge.beyond && if wraps { before > 0 } else { last > 0 };
    let lives = !traps;
    let address = format!("(local.set $a (i32.sub {} (i32.const {before})))", edge.address);
    let once = format!("{address} {code}")
        .replace("@len", &len.to_string())
        .replace("@declared", &WINDOW.to_string())
        .replace("@end", &(WINDOW + WINDOW_LEN).to_string())
        .replace("@memory", &(PAGES << 16).to_string());
    Hostile {
        name: format!("bulk-{operation}-{shape}-{}", edge.name),
        abuse: format!("memory {operation}, {shape} the edge {}", edge.name),
        threat: "T2".to_owned(),
        items: r#"(data $bytes "0123456789abcdef")"#.to_owned(),
        once,
        lives,
        fault: traps.then(|| "out of bounds memory access".to_owned()),
        class: traps.then(|| "memory".to_owned()),
        ..Hostile::default()
    }
}
