#!/bin/sh
# Runs the measurements of tests/bench one after another: NAME.sh where there is one, else the program NAME.
# docs/measuring.md says how they are made. With names: only those. PAIRS=n: that many pairs instead of 20.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${B:-build}
export ASHLAR_BUILD="$build" ASHLAR_BIN="$build/bin" LC_ALL=C

names=$*
[ -n "$names" ] || names=$(for f in tests/bench/*.c tests/bench/*.sh; do
	[ -f "$f" ] && basename "$f" | sed 's/\.[a-z]*$//'
done | sort -u)

printf 'machine: %s, %s cores, Linux %s, load %s\n' \
	"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(uname -r)" \
	"$(cut -d' ' -f1 /proc/loadavg)"
status=0
for n in $names; do
	[ "$n" != functions ] || continue
	printf '\n== %s\n' "$n"
	if [ -x "tests/bench/$n.sh" ]; then
		"tests/bench/$n.sh" "${PAIRS:-20}" || status=1
	else
		"$build/tests/bench/$n" "${PAIRS:-20}" || status=1
	fi
done
exit "$status"
