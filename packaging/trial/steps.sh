# What the scripts of the trial share: each step says what it has seen, and the first that fails ends it.
set -eu

ok() { echo "ok: $*"; }
fail() { echo "FAILED: $*"; exit 1; }

# A command that must go well; what it says is shown only where it does not.
must() { "$@" > /tmp/said 2>&1 || { cat /tmp/said; fail "$*"; }; }

# A command that must be refused, with that text: refused TEXT COMMAND...
refused() {
    text=$1
    shift
    if "$@" > /tmp/said 2>&1; then fail "$* is not refused"; fi
    grep -qF -- "$text" /tmp/said || { cat /tmp/said; fail "$* is refused, but not with: $text"; }
}

# Mode and owner of a path: is MODE OWNER PATH
is() {
    found=$(stat -c '%a %U' "$3")
    [ "$found" = "$1 $2" ] || fail "$3 is $found, not $1 $2"
}

# What the package has left anywhere, but for its own traces in logs and what the trial brought.
left() {
    find / -xdev -iname '*perigee*' ! -path '/proc/*' ! -path '/sys/*' ! -path '/trial/*' ! -path '/tmp/*' ! -path '/var/log/*' \
        ! -path '/var/cache/*' ! -path '/run/log/*'
    find /run -iname '*perigee*' ! -path '/run/log/*' ! -path '/run/systemd/units/*' ! -path '/run/udev/*'
    getent passwd perigee || true
    getent group perigee || true
}

as_perigee() { setpriv --reuid perigee --regid perigee --clear-groups "$@"; }
