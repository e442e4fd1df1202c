#!/bin/sh
# clap 4.6.7 (derive), built in release: two structs that are flattened into one command and have a field of the same name share that option's
# value, though their flags have other names: what is given by the second one's flag is the first one's, and the second has nothing. Only debug
# builds say that an id is there twice. A command that is made of parts which others wrote should be looked at for it by a test.
# Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=4.6.7
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat > "$work/Cargo.toml" <<T
[package]
name = "flattened"
version = "0.0.0"
edition = "2021"
[dependencies]
clap = { version = "=$VERSION", features = ["derive"] }
[workspace]
T
cat > "$work/src/main.rs" <<'R'
use clap::{Args, Parser};
#[derive(Parser)]
struct All {
    #[command(flatten)]
    packets: Packets,
    #[command(flatten)]
    files: Files,
}
#[derive(Args)]
struct Packets {
    #[arg(long = "packets")]
    count: Option<u64>,
}
#[derive(Args)]
struct Files {
    #[arg(long = "files")]
    count: Option<u64>,
}
fn main() {
    let all = All::parse_from(["flattened", "--files", "20"]);
    println!("packets {:?}, files {:?}", all.packets.count, all.files.count);
}
R
seen=$(cd "$work" && cargo run --release --quiet 2>&1)
echo "clap $VERSION, --files 20: $seen"
case "$seen" in
    "packets Some(20), files None") echo "as found: the other option has it" ;;
    *) echo "otherwise than found"; exit 1 ;;
esac
