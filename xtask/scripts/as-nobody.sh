#!/bin/sh
# Runs a test binary as nobody, without capabilities and groups: cargo's runner for `./x test unprivileged`.
set -eu
repository=$(cd "$(dirname "$0")/../.." && pwd)
home=$(mktemp -d)
chmod 755 "$home"
chown 65534:65534 "$home"
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps -all --bounding-set -all"
nobody="$nobody env -u XDG_RUNTIME_DIR -u XDG_CACHE_HOME HOME=$home TMPDIR=$home"
status=0
if $nobody test -r "$1"; then
    $nobody "$@" || status=$?
else
    # A clone in root's home: in a mount namespace of our own, the directory that hides it gets an empty one in its place,
    # and the clone appears in that under its old name.
    hidden=/$(printf %s "$repository" | cut -d/ -f2)
    unshare --mount sh -ec '
        repository=$1 hidden=$2 nobody=$3 working=$PWD
        shift 3
        mkdir -p /run/perigee-clone
        mount --bind "$repository" /run/perigee-clone
        mount -t tmpfs -o mode=755 none "$hidden"
        mkdir -p "$repository"
        mount --move /run/perigee-clone "$repository"
        cd "$working"
        exec $nobody "$@"
    ' sh "$repository" "$hidden" "$nobody" "$@" || status=$?
fi
rm -rf "$home"
exit $status
