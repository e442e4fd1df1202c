//! docs/headers-table.md is what the code says: all headers, their fields, and what they mean. `./x bless` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use perigee_guest::wire::{DOCS, Format, HEADERS};
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = "<!-- Made from the code by `./x bless`. Change the headers in guest-sdk/src/wire/protocols/. -->\n\n# All headers\n";

/// A doc comment as Markdown elsewhere: links into the code are names, and nothing ends a cell.
fn plain(doc: &str) -> String {
    doc.replace("[`", "`").replace("`]", "`").replace("crate::wire::", "").replace("Self::", "").replace('|', "\\|")
}

fn numbers(format: &Format) -> String {
    let mut parts = Vec::new();
    let mut add = |what: &str, numbers: Vec<String>| {
        if !numbers.is_empty() {
            parts.push(format!("{what} {}", numbers.join(", ")));
        }
    };
    add("EtherType", format.ether_types.iter().map(|number| format!("{number:#06x}")).collect());
    add("IP protocol", format.ip_protocols.iter().map(ToString::to_string).collect());
    add("UDP port", format.udp_ports.iter().map(ToString::to_string).collect());
    add("TCP port", format.tcp_ports.iter().map(ToString::to_string).collect());
    parts.join("; ")
}

/// A place as RFCs draw it: byte, and bit where it does not begin a byte.
fn place(bit: usize) -> String {
    if bit.is_multiple_of(8) { (bit / 8).to_string() } else { format!("{}.{}", bit / 8, bit % 8) }
}

fn rendered() -> String {
    assert_eq!(HEADERS.len(), DOCS.len());
    let mut text = HEAD.to_owned();
    for (info, (doc, field_docs)) in HEADERS.iter().zip(DOCS) {
        let format = &info.format;
        let numbers = numbers(format);
        write!(text, "\n### {}\n\n{}\n\n{}; {} bytes", format.name, plain(doc), format.source, format.len).unwrap();
        if !numbers.is_empty() {
            write!(text, "; {numbers}").unwrap();
        }
        text.push_str(".\n\n| Byte | Bits | Field | Meaning |\n| --- | --- | --- | --- |\n");
        for (field, doc) in format.fields.iter().zip(*field_docs) {
            writeln!(text, "| {} | {} | `{}` | {} |", place(field.bit), field.bits, field.name, plain(doc)).unwrap();
        }
    }
    text
}

#[test]
fn the_table_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/headers-table.md");
    let code = rendered();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &code).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = file.lines().zip(code.lines()).find(|(file, code)| file != code);
    assert!(file == code, "docs/headers-table.md is not what the code says: ./x bless. First difference: {differs:?}");
}
