# The image, unpacked in $1: what is started as docs/installing.md says, as its user and with the capabilities that it names.
set -eu
bundle=$1

ok() { echo "ok: $*"; }
fail() { echo "FAILED: $*"; exit 1; }
said() { python3 -c "import json,sys; print(json.load(open('$bundle/config.json'))$1)"; }

user=$(said '["process"]["user"]["uid"]') || fail "the image names no user"
[ "$user" -ne 0 ] || fail "the image runs as root"
[ "$(said '["process"]["args"]')" = "['/usr/bin/perigee', 'run', '/etc/perigee/example.toml']" ] || fail "the command is $(said '["process"]["args"]')"

# run CAPABILITIES COMMAND...: as the image's user, with these capabilities and no others.
run() {
    capabilities=$1
    shift
    sh "$(dirname "$0")/inside.sh" "$bundle/rootfs" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs \
        --bounding-set "-all$capabilities" --inh-caps "-all$capabilities" --ambient-caps "-all$capabilities" \
        env XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/var/lib/perigee/cache "$@"
}

run "" perigee run /etc/perigee/example.toml --duration 1s > /tmp/said 2>&1 || { cat /tmp/said; fail "the example"; }
grep -q ': balanced' /tmp/said || { cat /tmp/said; fail "the summary"; }
ok "the image runs its example as user $user, without a capability"
tap="perigee forward /usr/share/perigee/modules/l2-forward.wasm --port net_tap0 --port net_tap1 --duration 1s"
if run "" $tap > /tmp/said 2>&1; then fail "net_tap works without CAP_NET_ADMIN"; fi
run ",+net_admin" $tap > /tmp/said 2>&1 || { cat /tmp/said; fail "net_tap with CAP_NET_ADMIN"; }
ok "net_tap with --cap-add NET_ADMIN"
packet="perigee forward /usr/share/perigee/modules/l2-forward.wasm --port net_af_packet0,iface=veth-a
    --port net_af_packet1,iface=veth-b --duration 1s"
if run "" $packet > /tmp/said 2>&1; then fail "net_af_packet works without CAP_NET_RAW"; fi
run ",+net_raw,+net_admin" $packet > /tmp/said 2>&1 || { cat /tmp/said; fail "net_af_packet with its capabilities"; }
ok "net_af_packet with --cap-add NET_RAW and NET_ADMIN"
