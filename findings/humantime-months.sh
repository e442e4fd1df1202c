#!/bin/sh
# The crate humantime 2.4.0 reads "5M" as five months of 30.44 days each (152 days), where "5m" is five minutes: one letter between an option
# that ends after lunch and one that never does. Perigee refuses M.
# Fails where the version is not to be had, or behaves otherwise.
set -eu
VERSION=${VERSION:-2.4.0}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cargo init --quiet --name found --vcs none
cargo add --quiet "humantime@=$VERSION"
cat > src/main.rs <<'R'
fn main() {
    let small = humantime::parse_duration("5m").unwrap();
    let large = humantime::parse_duration("5M").unwrap();
    println!("5m is {} s, 5M is {} s, written as {}", small.as_secs(), large.as_secs(), humantime::format_duration(large));
    assert_eq!((small.as_secs(), large.as_secs() / 86_400), (300, 152), "otherwise than found");
}
R
cargo run --quiet
