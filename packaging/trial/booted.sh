# With systemd as the first process: what docs/installing.md says of an instance's life.
. /trial/steps.sh

version=$(dpkg-deb -f /trial/perigee_0.1.0_amd64.deb Version)
unit=perigee@example
drop_ins=/etc/systemd/system/$unit.service.d
# Where a step fails, what the units said comes first.
fail() {
    journalctl -u 'perigee@*' -o cat --no-pager | tail -n 20
    echo "FAILED: $*"
    exit 1
}
pid() { systemctl show -p MainPID --value $unit; }
ctl() { sudo -u perigee perigee ctl --socket example "$@"; }
told() { journalctl -u "$unit" -o cat --no-pager | grep -qF -- "$1" || fail "the journal has no: $1"; }
# Waits, for at most some seconds, until a command goes well.
wait_for() {
    for _ in $(seq 100); do if "$@" > /dev/null 2>&1; then return; fi; sleep 0.2; done
    fail "waited in vain for: $*"
}

must dpkg -i /trial/perigee_${version}_amd64.deb
if systemctl is-active --quiet 'perigee@*'; then fail "the package starts something"; fi
must systemctl start $unit
first=$(pid)
ok "installed, started: $(systemctl show -p ActiveState,SubState,Type --value $unit | tr '\n' ' ')"
is 700 perigee /var/lib/perigee
is 700 perigee /run/perigee
is 700 perigee /run/perigee/example.sock
is 600 perigee /var/lib/perigee/cache/perigee/key
ok "state is perigee's alone"

ctl status > /tmp/said || fail "ctl as perigee"
grep -q "example (running), perigee $version" /tmp/said || { cat /tmp/said; fail "status"; }
must perigee ctl --socket example status
refused "belongs to another user" sudo -u nobody perigee ctl --socket /run/perigee/example.sock status
ok "perigee and root ask it, others are refused"

for task in /proc/$first/task/*/status; do
    grep -q '^CapEff:.0*$' $task && grep -q '^CapPrm:.0*$' $task && grep -q '^NoNewPrivs:.1' $task && grep -q '^Seccomp:.2' $task ||
        { cat $task; fail "a thread that is not in the jail"; }
done
ok "no thread has a capability, each has a filter"

must ctl swap counter /usr/share/perigee/modules/counter.wasm
ok "a module is swapped"

cp /etc/perigee/example.toml /root/example.toml
sed -i 's/^\[run\]/[run]\nwatchdog = "7s"/' /etc/perigee/example.toml
must systemctl reload $unit
ctl diff /etc/perigee/example.toml | grep -qx "no difference" || fail "the reload did nothing"
ok "a reload applies what has changed"
sed 's/net_null0/net_null1/' /root/example.toml > /etc/perigee/example.toml
if systemctl reload $unit > /dev/null 2>&1; then fail "a reload that needs a restart is not refused"; fi
told "this cannot be done while packets flow"
echo 'no = configuration' > /etc/perigee/example.toml
if systemctl reload $unit > /dev/null 2>&1; then fail "a reload of nonsense is not refused"; fi
told "/etc/perigee/example.toml:1"
[ "$(systemctl is-active $unit) $(pid)" = "active $first" ] || fail "a refused reload ends the run"
cp /root/example.toml /etc/perigee/example.toml
ok "what cannot be applied is refused with its reason, and the run goes on"

created() { ctl stats --json | grep -o '"created": [0-9]*' | head -1 | grep -o '[0-9]*'; }
before=$(created)
must dpkg -i /trial/perigee_0.9.9_amd64.deb
[ "$(systemctl is-active $unit) $(pid)" = "active $first" ] || fail "an upgrade ends the run"
refused "it is perigee $version, and this ctl is 0.9.9" sudo -u perigee perigee ctl --socket example status
if systemctl reload $unit > /dev/null 2>&1; then fail "a reload by another version is not refused"; fi
told "it is perigee $version, and this ctl is 0.9.9"
must /proc/$first/exe ctl --socket example status
after=$(/proc/$first/exe ctl --socket example stats --json | grep -o '"created": [0-9]*' | head -1 | grep -o '[0-9]*')
[ "$after" -gt "$before" ] || fail "packets do not flow: $before, $after"
ok "an upgrade leaves it running ($((after - before)) packets later), and the other version's ctl is refused by name"
must dpkg -i /trial/perigee_${version}_amd64.deb
must systemctl restart $unit
[ "$(pid)" != "$first" ] && must ctl status
ok "a restart takes the new program"

mkdir -p $drop_ins
printf '[Service]\nWatchdogSec=2s\n' > $drop_ins/watchdog.conf
must systemctl daemon-reload
must systemctl restart $unit
first=$(pid)
sleep 5
[ "$(pid)" = "$first" ] || fail "a run that lives is ended by the watchdog"
kill -STOP "$first"
restarted() { [ "$(systemctl show -p NRestarts --value $unit)" -ge 1 ] && systemctl is-active --quiet $unit; }
wait_for restarted
told "Watchdog timeout"
rm $drop_ins/watchdog.conf
ok "one that gives no sign of life is started again"

mkdir -p /dev/vfio
: > /dev/vfio/noiommu-0
cp /usr/share/perigee/ports/card.conf $drop_ins/
must systemctl daemon-reload
if systemctl restart $unit 2> /dev/null; then fail "vfio without an IOMMU is not refused"; fi
told "/dev/vfio/noiommu-0: vfio is in its mode without an IOMMU"
cp /usr/share/perigee/ports/no-iommu.conf $drop_ins/
must systemctl daemon-reload
systemctl reset-failed $unit
must systemctl restart $unit
is 644 perigee /dev/vfio/noiommu-0
rm -r $drop_ins /dev/vfio/noiommu-0
must systemctl daemon-reload
must systemctl restart $unit
ok "vfio without an IOMMU is refused unless a drop-in accepts it"

# A kind of port, its drop-in, its devices: forwards between two ports.
try_ports() {
    unit=perigee@$1
    drop_ins=/etc/systemd/system/$unit.service.d
    cat > "/etc/perigee/$1.toml" <<T
[[port]]
name = "a"
device = "$2"
[[port]]
name = "b"
device = "$3"
[[module]]
name = "l2-forward"
file = "/usr/share/perigee/modules/l2-forward.wasm"
grants = { tx = ["a", "b"], hostcalls = ["log", "counter"] }
[[chain]]
source = { port = "a" }
stages = ["l2-forward"]
tx = ["b"]
T
    if systemctl start "$unit" 2> /dev/null; then fail "$1 starts without its drop-in"; fi
    install -D -m 644 "/usr/share/perigee/ports/$1.conf" "$drop_ins/$1.conf"
    must systemctl daemon-reload
    systemctl reset-failed "$unit"
    systemctl start "$unit" 2> /dev/null || fail "$1 does not start"
    grep -hE '^Cap(Prm|Eff)' "/proc/$(pid)/status" | tr '\n\t' '  '
    [ "$(grep -c '^CapEff:.0*$' "/proc/$(pid)/status")" = 1 ] || fail "$1: a capability is effective"
    must sudo -u perigee perigee ctl --socket "$1" status
    must systemctl stop "$unit"
    [ "$(systemctl show -p Result --value "$unit")" = success ] || fail "$1: $(systemctl show -p Result "$unit")"
    ok "$1: needs its drop-in, and starts and ends with it"
}
must ip link add veth-a type veth peer name veth-b
must ip link set veth-a up
must ip link set veth-b up
try_ports tap net_tap0,iface=tap-a net_tap1,iface=tap-b
try_ports interface net_af_packet0,iface=veth-a net_af_packet1,iface=veth-b
try_ports xdp net_af_xdp0,iface=veth-a net_null0,no-rx=1
unit=perigee@example

if journalctl --no-pager | grep -E 'type=1326|SIGSYS|system call' | grep -i perigee; then fail "a call that the jail denies"; fi
ok "no call was denied by the jail"

must systemctl enable $unit
must apt-get -qq -y remove perigee
if pgrep -u perigee > /dev/null; then fail "a removal leaves a process"; fi
[ -e /etc/perigee/example.toml ] || fail "a removal takes the configuration"
rm -r /etc/systemd/system/perigee@*.service.d
must apt-get -qq -y purge perigee
left > /tmp/left
[ ! -s /tmp/left ] || { cat /tmp/left; fail "a purge leaves something"; }
ok "removed and purged: nothing is left"
echo "all is well"
