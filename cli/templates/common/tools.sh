# What build.sh and test.sh have in common; both read it from the project's folder.
set -euo pipefail

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# tool VARIABLE PROGRAM WHERE: the program that $VARIABLE names, else PROGRAM on PATH. WHERE says what brings it.
tool() {
  if [ -n "${!1:-}" ]; then
    command -v "${!1}" || die "$1=${!1} is no program"
  else
    command -v "$2" || die "$2 is missing: $3; or set $1 to where it is"
  fi
}
