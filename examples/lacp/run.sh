#!/usr/bin/env bash
# Comes into a group with a bond of Open vSwitch, whose datapath in user space needs no module of the kernel; and is pinged through it.
# Takes root. Needs the modules: ./x build-modules
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee="${PERIGEE:-../../target/release/perigee}"
if [ "$(id -u)" != 0 ] || ! command -v ovs-vswitchd > /dev/null || ! command -v ovsdb-server > /dev/null; then
  echo "skipped: takes root, and Open vSwitch (Debian's package openvswitch-switch)"
  exit 0
fi
work=$(mktemp -d)
export OVS_RUNDIR=$work OVS_LOGDIR=$work OVS_DBDIR=$work OVS_SYSCONFDIR=$work
database=unix:$work/db.sock
pids=()
finish() {
  ovs-vsctl --timeout=5 --db="$database" --if-exists del-br perigee-lag > /dev/null 2>&1 || true
  for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
  for link in perigee-lag0 perigee-lag1; do ip link delete "$link" 2> /dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
for i in 0 1; do
  ip link add perigee-lag$i type veth peer name perigee-ovs$i
  ip link set perigee-lag$i up
  ip link set perigee-ovs$i up
done
ovsdb-tool create "$work/conf.db" /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server "$work/conf.db" --remote="p$database" > "$work/database" 2>&1 &
pids+=($!)
for _ in $(seq 50); do [ -S "$work/db.sock" ] && break; sleep 0.1; done
ovs-vsctl --timeout=5 --db="$database" --no-wait init
ovs-vswitchd "$database" --unixctl="$work/switch" > "$work/switch.log" 2>&1 &
pids=("$!" "${pids[@]}")
vsctl() { ovs-vsctl --timeout=20 --db="$database" "$@"; }
vsctl add-br perigee-lag -- set bridge perigee-lag datapath_type=netdev
vsctl add-bond perigee-lag bond0 perigee-ovs0 perigee-ovs1 lacp=active bond_mode=balance-tcp other_config:lacp-time=fast
ip addr add 10.98.0.1/24 dev perigee-lag
ip link set perigee-lag up

"$perigee" run --log info lacp.toml > "$work/run" 2>&1 &
run=$!
show() { ovs-appctl --target="$work/switch" lacp/show; }
members() { show | grep -c "partner state: .*synchronized collecting distributing" || true; }
for _ in $(seq 90); do [ "$(members)" = 2 ] && break; sleep 0.1; done
show | grep -E "status|member|partner (sys_id|state)"
[ "$(members)" = 2 ]
[ "$(show | grep -c "current attached")" = 2 ]
# The switch learns by itself when its end is up.
sleep 1
ping -c 5 -i 0.2 -w 5 10.98.0.2 | tail -n 2
wait "$run"
grep "is in a group" "$work/run"
