#!/bin/bash
# make -j2 and gcc build a part of ashlar inside ashlar; its unit tests pass there. (All of it: make soak.)
# timeout: 600
. "$(dirname "$0")/functions.sh"
requires gcc make
export CCACHE_DISABLE=1
parts="tests/unit/base_hist tests/unit/base_size tests/unit/mcomponent_table"
targets=
for t in $parts; do
	[ -f "$top/$t.c" ] || fail "no $t.c any more"
	targets="$targets $tmp/b/$t"
done
cd "$top" || exit 1
# shellcheck disable=SC2086 # words
ashlar run --excache 64M --stats "$tmp/stats" -- make -s -j2 B="$tmp/b" $targets >"$tmp/out" 2>"$tmp/err" || {
	show "$tmp/out" "$tmp/err"
	fail "make fails"
}
for t in $parts; do
	ashlar run --excache 64M -- "$tmp/b/$t" >"$tmp/out" 2>&1 || {
		show "$tmp/out"
		fail "$t fails"
	}
done
echo "built by $(stat_of "$tmp/stats" detail.processes) programs, $(stat_of "$tmp/stats" excache.misses) misses"
passed
