#!/bin/bash
# make -j2 and gcc build a part of ashlar inside ashlar; its unit tests pass there. (All of it: program_ashlar.sh, make soak.)
# timeout: 600
. "$(dirname "$0")/functions.sh"
requires gcc make
export CCACHE_DISABLE=1
cd "$top" || exit 1
ashlar run --excache 64M --stats "$tmp/stats" -- make -s -j2 B="$tmp/b" "$tmp/b/lib/libbase.a" "$tmp/b/lib/libproto.a" \
	>"$tmp/out" 2>"$tmp/err" || {
	show "$tmp/out" "$tmp/err"
	fail "make fails"
}
units="base_hist base_log base_loop base_secret base_size"
cat >"$tmp/units.sh" <<'END'
for t in "${@:2}"; do
	make -s B="$1" "$1/obj/tests/unit/$t.o" || exit
	gcc -pie -pthread "$1/obj/tests/unit/$t.o" "$1/lib/libbase.a" -lcmocka -lsodium -o "$1/$t" || exit
	"$1/$t" >"$1/$t.out" 2>&1 || { echo "$t: exit status $?"; cat "$1/$t.out"; }
done
END
# shellcheck disable=SC2086 # words
ashlar run --excache 16M -- bash "$tmp/units.sh" "$tmp/b" $units >"$tmp/out" 2>&1 || {
	show "$tmp/out"
	fail "the unit tests are not built"
}
grep -v '^  CC ' "$tmp/out" && fail "unit tests fail inside"
[ "$(stat_of "$tmp/stats" detail.processes)" -ge 40 ] || fail "hardly a process"
echo "built by $(stat_of "$tmp/stats" detail.processes) programs, $(stat_of "$tmp/stats" excache.misses) misses"
passed
