# With systemd as the first process of a virtual machine: an instance that runs as the user perigee on a network card behind an
# IOMMU, as docs/installing.md says. The machine's CPU may be an emulated one, so what is measured in time gets more of it here.
. /trial/steps.sh

card=0000:00:04.0
unit=perigee@card
drop_ins=/etc/systemd/system/$unit.service.d
pid() { systemctl show -p MainPID --value $unit; }

must dpkg -i /trial/perigee_*_amd64.deb
must udevadm settle
must bed-modprobe vfio-pci
echo vfio-pci > /sys/bus/pci/devices/$card/driver_override
echo $card > /sys/bus/pci/drivers_probe
must udevadm settle
group=/dev/vfio/$(basename "$(readlink /sys/bus/pci/devices/$card/iommu_group)")
found=$(stat -c '%a %G' "$group")
[ "$found" = "660 perigee" ] || fail "$group is $found"
ok "the card's group is the instances': $group, $found"

cat > /etc/perigee/card.toml <<T
[run]
idle = "nap"
watchdog = "120s"
[load]
time = "10min"
[[port]]
name = "a"
device = "$card"
[[module]]
name = "l2-forward"
file = "/usr/share/perigee/modules/l2-forward.wasm"
grants = { tx = ["a"], hostcalls = ["log", "counter"], deadline = "5s", control_deadline = "20s" }
[[chain]]
source = { port = "a" }
stages = ["l2-forward"]
tx = ["a"]
T
mkdir -p $drop_ins
printf '[Service]\nTimeoutStartSec=10min\nWatchdogSec=0\n' > $drop_ins/slow.conf
must systemctl daemon-reload
if systemctl start $unit 2> /dev/null; then fail "a card starts without its drop-in"; fi
must cp /usr/share/perigee/ports/card.conf $drop_ins/
must systemctl daemon-reload
systemctl reset-failed $unit
systemctl start $unit || { journalctl -u $unit -o cat --no-pager | tail -30; fail "the instance does not start"; }
first=$(pid)
[ "$(stat -c %U "/proc/$first")" = perigee ] || [ "$(ps -o user= -p "$first")" = perigee ] || fail "it is not perigee's"
for task in /proc/$first/task/*/status; do
    grep -q '^CapPrm:.0*$' "$task" && grep -q '^Seccomp:.2' "$task" || { cat "$task"; fail "a thread that is not in the jail"; }
done
ok "a card without root and without a capability: $(systemctl show -p ActiveState,SubState --value $unit | tr '\n' ' ')"
must sudo -u perigee perigee ctl --socket card status
must systemctl stop $unit
[ "$(systemctl show -p Result --value $unit)" = success ] || fail "$(systemctl show -p Result $unit)"
if journalctl --no-pager | grep -E 'type=1326|SIGSYS' | grep -i perigee; then fail "a call that the jail denies"; fi
ok "it is asked, and ends well"
rm -r $drop_ins
must apt-get -qq -y purge perigee
left > /tmp/left
[ ! -s /tmp/left ] || { cat /tmp/left; fail "a purge leaves something"; }
echo "all is well"
