#!/bin/sh
# nftables 1.0.6 (Debian 12; 1.1.3 of Debian 13 too) has no JSON for a chain without a name: `nft -j list ruleset` writes the rule's
# `jump { ... }` as text in nft's own language into the list of the rule's objects, with exit code 0. A reader that takes the objects alone finds
# a rule that matches and does nothing; nft itself refuses to read it. In a network namespace of its own. Needs root, nft, Python.
# Fails where it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case "$(nft --version)" in *v1.0.6*) ;; *) echo "another version: $(nft --version)"; exit 1 ;; esac
cat > "$work/rules" <<'R'
table inet t {
  chain f {
    type filter hook forward priority 0;
    ip saddr 192.0.2.1 jump { tcp dport 80 accept; }
  }
}
R
unshare --net sh -eu -c "
  nft -f $work/rules
  nft -j list ruleset > $work/json 2> $work/said
  nft flush ruleset
  nft -j -f $work/json 2>> $work/said || echo refused > $work/refused
"
python3 - "$work/json" <<'P'
import json, sys
items = json.load(open(sys.argv[1]))["nftables"]
parts = next(item["rule"]["expr"] for item in items if "rule" in item)
print("parts of the rule:", [part if isinstance(part, str) else list(part) for part in parts])
sys.exit(0 if [type(part) for part in parts] == [dict, str] else "it is an object now")
P
test -e "$work/refused" || { echo "nft reads it now"; exit 1; }
echo "as found: nftables 1.0.6; reading it back: $(grep -m 1 Error "$work/said")"
