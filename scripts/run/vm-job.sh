#!/bin/bash
# The main job on a rack of virtual machines: brings one up, runs sort, python3 and sqlite3 on it with a quarter of their
# memory local, compares their output with that of a native run, and takes the rack down. Exit status 1 when an output
# differs or a run fails. `make run-vm` calls it.
#
#   B=build        where the programs are
#   VM_OPTIONS=    further options of `ashlar vm up`
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
case $B in /*) ;; *) B=$PWD/$B ;; esac
ashlar=$B/bin/ashlar
memwatch=$B/tests/programs/memwatch
python=/usr/bin/python3
export LC_ALL=C PYTHONHASHSEED=0

say() { printf '[%3d s] %s\n' "$SECONDS" "$*"; }
die() {
	echo "vm-job: $*" >&2
	exit 1
}
MAKEFLAGS='' make --no-print-directory -s B="$B" "$memwatch" >&2 || die "cannot build its helper"
[ -x "$ashlar" ] || die "there is no $ashlar; run make first"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ashlar-vm-run.XXXXXX") || exit 1
rack=job-$$
trap '"$ashlar" vm down --name $rack >/dev/null 2>&1; rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
failed=0

value() { sed -n "s/^$2 //p" "$1"; } # file, name: of memwatch's report

job() { # NAME COMMAND ARGS..
	local name=$1 footprint native quarter status verdict=same begin
	shift
	"$memwatch" -o "$tmp/watch" "$@" >"$tmp/native" </dev/null || die "$name fails natively"
	footprint=$(value "$tmp/watch" anon_peak) native=$(value "$tmp/watch" wall_ns)
	quarter=$((footprint / 4 / 4096 * 4096))
	say "$name: $((footprint >> 10)) KB of memory, a quarter of it local"
	begin=$(date +%s%N)
	"$ashlar" vm run --name $rack --excache $quarter --stats "$tmp/stats" -- "$@" >"$tmp/rack" 2>"$tmp/err" </dev/null
	status=$?
	[ $status -eq 0 ] && cmp -s "$tmp/native" "$tmp/rack" || {
		verdict="DIFFERS (status $status)" failed=1
		tail -n 5 "$tmp/err"
	}
	printf '%s %s %s %s %s\n' "$name" "$((footprint >> 10))" "$(sed -n 's/^ *"misses": \([0-9]*\).*/\1/p' "$tmp/stats")" \
		"$((($(date +%s%N) - begin) / 1000000)) $((native / 1000000))" "$verdict" >>"$tmp/results"
}

seq 1 120000 | awk '{ print ($1 * 48271) % 2147483647, $1 }' >"$tmp/numbers"
# shellcheck disable=SC2086 # options are words
"$ashlar" vm up --name $rack ${VM_OPTIONS:-} || die "no rack of virtual machines"
say "the rack is up"
job sort sort -S 12M --parallel=1 "$tmp/numbers"
job python3 "$python" -S -c '
d = [str(i) * 80 for i in range(40000)]
print(sum(len(s) * int(s[:2]) for s in d), d[12345][:20])'
job sqlite3 sqlite3 :memory: 'create table t(a, b);
with recursive c(i) as (select 1 union all select i + 1 from c where i < 50000)
	insert into t select i, printf("%0150d", i * 7919 % 50021) from c;
select sum(length(b)), count(*), max(b) from t where a > 10000;'
"$ashlar" vm down --name $rack || die "the rack does not end"
say "the rack is down"
printf '\n%-10s %12s %10s %10s %10s  %s\n' program 'memory KB' misses 'rack ms' 'native ms' output
while read -r name footprint misses wall native verdict; do
	printf '%-10s %12s %10s %10s %10s  %s\n' "$name" "$footprint" "$misses" "$wall" "$native" "$verdict"
done <"$tmp/results"
exit $failed
