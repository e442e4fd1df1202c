# In a system without systemd running: install, what needs no unit, remove, purge.
. /trial/steps.sh

must dpkg -i /trial/perigee_*.deb
is 755 root /etc/perigee
is 644 root /etc/perigee/example.toml
is 755 root /usr/bin/perigee
is 700 perigee /run/perigee
is 700 perigee /var/lib/perigee
getent passwd perigee | grep -q ':/var/lib/perigee:/usr/sbin/nologin$' || fail "the user: $(getent passwd perigee)"
if as_perigee sh -c ': > /etc/perigee/x' 2> /dev/null; then fail "perigee can write to /etc/perigee"; fi
ok "installed; /etc/perigee is root's and nobody else writes to it"

must as_perigee perigee check /etc/perigee/example.toml
must as_perigee env HOME=/var/lib/perigee perigee run /etc/perigee/example.toml --duration 1s --json /var/lib/perigee/said.json
grep -q '"balanced": true' /var/lib/perigee/said.json || fail "no balance in the summary"
ok "the example is checked and runs as perigee, in its jail"

bash -c '. /usr/share/bash-completion/bash_completion
    _completion_loader perigee; complete -p perigee
    COMP_WORDS=(perigee ctl s) COMP_CWORD=2 COMP_LINE="perigee ctl s" COMP_POINT=13
    _perigee perigee s ctl; printf "%s\n" "${COMPREPLY[@]}"' > /tmp/said 2>&1 || { cat /tmp/said; fail "completions in bash"; }
for word in status stats swap stop; do grep -qx $word /tmp/said || { cat /tmp/said; fail "bash completes no $word"; }; done
ok "bash completes"

cp /lib/systemd/system/perigee@.service /tmp/perigee@example.service
systemd-analyze verify --man=no /tmp/perigee@example.service > /tmp/said 2>&1 || true
if grep perigee /tmp/said; then fail "the unit"; fi
ok "the unit has no mistake that systemd-analyze finds"

must dpkg --remove perigee
[ -e /etc/perigee/example.toml ] || fail "a removal takes the configuration"
[ ! -e /usr/bin/perigee ] || fail "a removal leaves the program"
must dpkg --purge perigee
left > /tmp/left
[ ! -s /tmp/left ] || { cat /tmp/left; fail "a purge leaves something"; }
ok "removed, purged: nothing is left"
