# shellcheck shell=bash disable=SC2034 # what the measurements use
# Library of the measurements that need a rack (bash; source it). Where the programs are, and a folder that goes away.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
build=${ASHLAR_BUILD:-build}
bin=${ASHLAR_BIN:-$build/bin}
programs=$build/tests/programs
bench=$build/tests/bench
python=/usr/bin/python3
export LC_ALL=C
unset ASHLAR_BIN
pairs=${1:-20}

tmp=$(mktemp -d "${TMPDIR:-/tmp}/ashlar-bench.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
MAKEFLAGS='' make --no-print-directory -s B="$build" tests bench-programs >&2 || exit 1

summary() { "$python" tests/bench/summary.py "$@"; }

die() {
	echo "bench: $*" >&2
	exit 1
}

stat_of() { # file, name
	"$python" -c 'import json, sys
v = json.load(open(sys.argv[1]))
for k in sys.argv[2].split("."):
    v = v[k]
print(v)' "$1" "$2"
}

# The program's own words: word_of FILE LINE WORD -> the number behind WORD in the line that begins with LINE
word_of() {
	awk -v line="$2" -v word="$3" '$1 == line { for (i = 1; i < NF; i++) if ($i == word) print $(i + 1) }' "$1"
}
