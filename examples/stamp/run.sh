#!/usr/bin/env bash
# Measures a simulated wire whose delay is known; then meets another implementation, which takes root. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
work=$(mktemp -d)
space=perigee-stamp
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  ip netns delete $space 2> /dev/null || true
  ip link delete perigee-stamp0 2> /dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# The key, which nobody else may read; and what has it, beside it.
(umask 077; head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$work/stamp.key")
sed "s|\.\./\.\./target|$PWD/../../target|" authenticated.toml > "$work/authenticated.toml"
"$perigee" sim stamp.toml --log info --json "$work/sim.json" > "$work/sim" 2>&1
grep -o "[a-z-]* delay of .* at most" "$work/sim"
echo "authenticated:"
"$perigee" sim "$work/authenticated.toml" --log info --json "$work/authenticated.json" > "$work/authenticated" 2>&1
grep -o "two-way delay of .* at most" "$work/authenticated"
if grep -q -r -f "$work/stamp.key" "$work/authenticated" "$work/authenticated.json"; then
  echo "the key is in what the run has said"
  exit 1
fi
# Told by what the modules have counted: exactly what the configuration says, there and back.
for result in "$work/sim.json" "$work/authenticated.json"; do
python3 - "$result" << 'END'
import json, sys
modules = json.load(open(sys.argv[1]))["summary"]["modules"]
count = next(module["counters"] for module in modules if module["name"] == "stamp-sender")
assert count["sent"] == count["received"] == count["stamped"] == 1000 and count.get("lost", 0) == 0, count
assert (count["two_way_ns"], count["forward_ns"], count["backward_ns"]) == (140_000_000, 100_000_000, 40_000_000), count
END
done

suite="${STAMP_SUITE:-$(command -v stamp-suite || true)}"
if [ "$(id -u)" != 0 ] || [ -z "$suite" ] || ! command -v ethtool > /dev/null || ! command -v tshark > /dev/null; then
  echo "skipped: another implementation takes root, ethtool, tshark, and stamp-suite (cargo install stamp-suite; STAMP_SUITE says where)"
  exit 0
fi
ip netns add $space
ip link add perigee-stamp0 type veth peer name stamp netns $space
ip link set perigee-stamp0 up
ip -n $space link set lo up
ip -n $space link set stamp address 02:00:00:00:76:01 up
ip -n $space addr add 10.76.0.1/24 dev stamp
ip -n $space addr add fd76::1/64 dev stamp nodad
# Checksums that the kernel would leave to a card would be wrong on a veth pair.
ip netns exec $space ethtool -K stamp tx off > /dev/null
ip netns exec $space tshark -q -i stamp -f "udp port 862" -w "$work/stamp.pcapng" -a duration:12 > /dev/null 2>&1 &
tap=$!
ip netns exec $space "$suite" --is-reflector --stateful-reflector > "$work/reflector" 2>&1 &
pids+=($!)
sleep 2
"$perigee" run --log info interop.toml --json "$work/run.json" > "$work/run" 2>&1 &
run=$!
pids+=($run)
sleep 2
# All extensions of RFC 8972 over IPv4; PTP's timestamps over IPv6.
ip netns exec $space timeout 20 "$suite" --remote-addr 10.76.0.2 --count 20 --send-delay 20ms --ssid 99 --location --timestamp-info --cos \
  --dscp 46 --direct-measurement --follow-up-telemetry --access-report 1 --extra-padding 30 > "$work/sender" 2>&1
grep -E "^Packets (sent|received)|^Direct|^Follow-Up|^Access" "$work/sender"
grep -q "^Packets received: 20$" "$work/sender"
grep -q "^Direct Measurement window: forward missing 0, reverse missing 0" "$work/sender"
grep -q "^Follow-Up: 19 matched, 0 repeated, 0 unmatched" "$work/sender"
grep -q "acknowledged" "$work/sender"
ip netns exec $space timeout 20 "$suite" --remote-addr fd76::2 --local-addr fd76::1 --clock-source PTP --count 20 --send-delay 20ms \
  > "$work/sender6" 2>&1
grep -q "^Packets received: 20$" "$work/sender6"
wait "$run"
grep -o "[a-z-]* delay of .* at most" "$work/run"
python3 - "$work/run.json" << 'END'
import json, sys
modules = {module["name"]: module["counters"] for module in json.load(open(sys.argv[1]))["modules"]}
sender, reflector = modules["stamp-sender"], modules["stamp-reflector"]
assert sender["sent"] == 500 and sender["received"] + sender.get("lost", 0) == 500 and sender["received"] >= 490, sender
assert reflector["reflected"] == 40 and reflector.get("unrecognized", 0) == reflector.get("bad_length", 0) == 0, reflector
print(f"{sender['received']} answers of 500, {sender['stamped']} with the real departure; {reflector['reflected']} questions answered")
END
wait "$tap" || true
shown=$(tshark -r "$work/stamp.pcapng" -d udp.port==862,twamp.test -Y "twamp.test.sender_ttl == 255 && !_ws.malformed" 2> /dev/null | wc -l)
echo "tshark: $shown answers"
[ "$shown" -ge 520 ]
python="${PERIGEE_PYTHON:-../../target/venv/bin/python3}"
if "$python" -c "import scapy.contrib.stamp" 2> /dev/null; then
  "$python" check.py "$work/stamp.pcapng" 10.76.0.2
else
  echo "skipped: scapy's look at the packets (./x setup installs it)"
fi

# Once more in authenticated mode: the same configuration with a secret for both, and the other implementation with the same key.
kill "${pids[0]}" 2> /dev/null || true
secret='secrets = { stamp = { file = "stamp.key" } }'
sed -e "s|\.\./\.\./target|$PWD/../../target|" -e "s|^grants = .*clock = \"precise\" }\$|&\n$secret|" \
  -e 's|^source = "10.76|key_format = "hex"\n&|' -e 's|mode = "stateful", tai_offset = 0|&, key_format = "hex"|' \
  interop.toml > "$work/interop.toml"
ip netns exec $space "$suite" --is-reflector --stateful-reflector --auth-mode A --hmac-key-file "$work/stamp.key" --verify-tlv-hmac \
  > "$work/reflector-a" 2>&1 &
pids+=($!)
sleep 1
"$perigee" run --log info "$work/interop.toml" --json "$work/run-a.json" > "$work/run-a" 2>&1 &
run=$!
pids+=($run)
sleep 2
# With the HMAC of extensions; then with another key.
authenticated=(timeout 20 "$suite" --remote-addr 10.76.0.2 --count 20 --send-delay 20ms --ssid 99 --auth-mode A)
ip netns exec $space "${authenticated[@]}" --hmac-key-file "$work/stamp.key" --verify-tlv-hmac --location --timestamp-info --cos --dscp 46 \
  --direct-measurement --follow-up-telemetry --access-report 1 --extra-padding 30 > "$work/sender-a" 2>&1
grep -q "^Packets received: 20$" "$work/sender-a"
grep -q "^Direct Measurement window: forward missing 0, reverse missing 0" "$work/sender-a"
(umask 077; tr 0-9a-f 1-9a-f0 < "$work/stamp.key" > "$work/other.key")
ip netns exec $space "${authenticated[@]}" --hmac-key-file "$work/other.key" > "$work/stranger" 2>&1 || true
grep -q "^Packets received: 0$" "$work/stranger"
wait "$run"
python3 - "$work/run-a.json" << 'END'
import json, sys
modules = {module["name"]: module["counters"] for module in json.load(open(sys.argv[1]))["modules"]}
sender, reflector = modules["stamp-sender"], modules["stamp-reflector"]
assert sender["sent"] == 500 and sender["received"] >= 490 and sender.get("bad_hmac", 0) == 0, sender
assert reflector["reflected"] == 20 and reflector.get("bad_integrity", 0) == 0 and reflector["bad_hmac"] == 20, reflector
print(f"authenticated: {sender['received']} answers of 500, {sender['stamped']} with the real departure; "
      f"{reflector['reflected']} questions answered, {reflector['bad_hmac']} with another key not")
END
