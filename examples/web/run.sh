#!/usr/bin/env bash
# What the page does, by curl: the token once, a cookie for it, events, another rate; and what is refused.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
perigee=${PERIGEE:-../../target/release/perigee}
if ! command -v curl > /dev/null; then
  echo "skipped: takes curl"
  exit 0
fi
folder=$(mktemp -d)
trap 'kill "${run:-}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
export XDG_RUNTIME_DIR=$folder
"$perigee" --log info run run.toml --quiet > "$folder/said" 2>&1 & run=$!
for _ in $(seq 200); do grep -q "its token is in" "$folder/said" && break; sleep 0.1; done
line=$(grep -o "the page listens at .*" "$folder/said")
page=http://$(cut -d" " -f5 <<< "${line%%;*}")
token=$(cat "${line##*its token is in }")

# Who shows no token gets nothing; who shows the right one gets a cookie.
status() { curl -s -m 10 -o /dev/null -w '%{http_code}' "$@"; }
table=()
expect() { # what, the status that it must have, and how curl asks
  local what=$1 wanted=$2 got; shift 2
  got=$(status "$@")
  table+=("$(printf '%-44s %s' "$what" "$got")")
  [ "$got" = "$wanted" ] || { echo "$what: $got, and not $wanted"; exit 1; }
}
jar=$folder/cookies
rate=("$page/api/v1/streams/load" -H 'content-type: application/json' -d '{"rate": "200 kpps"}')
expect "figures without a cookie" 401 "$page/api/v1/stats"
expect "a wrong token" 401 "$page/session" -H 'content-type: application/json' -d '{"token": "wrong"}'
expect "the token" 204 "$page/session" -c "$jar" -H 'content-type: application/json' -d "{\"token\": \"$token\"}"
expect "figures" 200 -b "$jar" "$page/api/v1/stats"
expect "another rate, without the page's own header" 403 -b "$jar" "${rate[@]}"
expect "the same from another site" 403 -b "$jar" -H 'x-perigee: 1' -H 'origin: http://elsewhere.example' "${rate[@]}"
expect "the same from the page" 200 -b "$jar" -H 'x-perigee: 1' -H "origin: $page" "${rate[@]}"

# What the page draws its curves from.
curl -s -m 3 -N -b "$jar" "$page/events" > "$folder/events" || true
events=$(grep -c '^event: ' "$folder/events")
now=$("$perigee" ctl streams --json | grep -o '"rate": *"[^"]*"' | head -n 1)
printf '%s\n' "${table[@]}"
echo "events in 3 seconds: $events; the stream's $now"
[ "$events" -ge 3 ] && [[ $now == *"200 kpps"* ]]
"$perigee" ctl stop > /dev/null
wait "$run"
