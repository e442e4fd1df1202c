#!/bin/sh
# `nft -j list ruleset` of nftables 1.0.6 (Debian 12) says otherwise, or not at all, what changes a rule set's meaning. Of a dormant table (its
# chains see no packet) the flags are some other text: here its own name, elsewhere the release's. That a set is dynamic (rules add to it while packets
# flow) is not there, nor the device of a netdev chain. `nft -j -f` takes the first for a table that is in force, so what was off drops
# packets after that, and refuses the last. nftables 1.1.3 (Debian 13) writes all three. In a network namespace of its own. Needs root, nft, Python.
# Fails where it behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case "$(nft --version)" in *v1.0.6*) ;; *) echo "another version: $(nft --version)"; exit 1 ;; esac
cat > "$work/rules" <<'R'
table inet off {
  flags dormant
  chain f { type filter hook forward priority 0; drop; }
}
table inet on {
  set seen { type ipv4_addr; size 100; flags dynamic; }
  chain f { type filter hook forward priority 0; add @seen { ip saddr }; ip daddr @seen accept; }
}
table netdev one {
  chain i { type filter hook ingress device lo priority 0; accept; }
}
R
unshare --net sh -eu -c "
  nft -f $work/rules
  nft list ruleset > $work/text
  nft -j list ruleset > $work/json
"
for word in "flags dormant" "flags dynamic" 'device "lo"'; do
  grep -q "$word" "$work/text" || { echo "the text has no $word"; exit 1; }
done
python3 - "$work/json" <<'P'
import json, sys
items = [next(iter(item.items())) for item in json.load(open(sys.argv[1]))["nftables"]]
of = lambda kind, name: next(item for what, item in items if (what, item.get("name")) == (kind, name))
dormant, dynamic, device = of("table", "off").get("flags"), of("set", "seen").get("flags"), of("chain", "i").get("dev")
print(f"in the JSON: flags of the table {dormant!r}, flags of the set {dynamic!r}, device of the chain {device!r}")
sys.exit(0 if "dormant" not in str(dormant) and dynamic is None and device is None else "it is written now")
P
echo "as found: nftables 1.0.6"
