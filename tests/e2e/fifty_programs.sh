#!/bin/bash
# Fifty programs at once on a rack of one processor, two memory and one storage component, the sum of their footprints
# four times the ExCache: all outputs are right, none starves, and then nothing is left.
# Fair: forty of them are alike and work between the same two moments; what they get done differs by no more than twice.
# timeout: 240
. "$(dirname "$0")/functions.sh"
requires sort awk sqlite3 perl
excache=96
alike=40
pages=2048

# ---- ten real programs, two of each --------------------------------------------------------------------------------------

"$python" -c 'import random
r = random.Random(5)
for _ in range(60000): print(r.randrange(10**12), r.random())' >numbers
real() { # number: program and arguments in $job
	case $(($1 % 5)) in
	0) job=(/usr/bin/sort -n --parallel=1 -S 12M numbers) ;;
	1) job=(/usr/bin/awk '{ n[$1 % 50000] += $2 } END { for (k in n) s += k * n[k]; printf "%.6f\n", s }' numbers) ;;
	2) job=("$python" -c 'd = {i: str(i) * 5 for i in range(60000)}; print(sum(len(d[k]) for k in reversed(list(d))))') ;;
	3) job=(/usr/bin/perl -e 'my %h; $h{$_ % 70000} .= $_ for 1 .. 140000; print length(join(",", map { $h{$_} } sort keys %h)), "\n"') ;;
	4) job=(/usr/bin/sqlite3 :memory: 'create table t(a, b); with recursive n(i) as (select 1 union all select i + 1 from n where i < 120000) insert into t select i, i * 7919 % 100003 from n; create index x on t(b); select sum(a * (b % 10)), count(distinct b) from t;') ;;
	esac
}
footprints=$((alike * pages * 4096))
for i in 0 1 2 3 4; do
	real $i
	"$programs/memwatch" -o "$tmp/watch" "${job[@]}" >"native.$i" 2>&1 || fail "natively: ${job[0]}"
	footprints=$((footprints + 2 * $(seen_of "$tmp/watch" anon_peak)))
done
echo "footprints $((footprints >> 20)) MB, ExCache $excache MB"
[ "$footprints" -ge $((4 * excache << 20)) ] || fail "the sum of footprints is not four times the ExCache"

# ---- all at once ---------------------------------------------------------------------------------------------------------

rack_start 512M 2 / ${excache}M
mkdir meet
pids=()
for i in $(seq $alike); do
	ASHLAR_TEST_MARK=$mark "$bin/ashlar" run --rack "$rack" --stats "stats.$i" -- "$programs/progress" $pages "$PWD/meet" \
		>"alike.$i" 2>"alike.err.$i" </dev/null &
	pids+=($!)
done
for i in 0 1 2 3 4 5 6 7 8 9; do
	real $i
	ASHLAR_TEST_MARK=$mark "$bin/ashlar" run --rack "$rack" --stats "real.stats.$i" -- "${job[@]}" \
		>"real.$i" 2>"real.err.$i" </dev/null &
	pids+=($!)
done
most=0
all_ready() {
	local n
	n=$(rack_processes)
	[ "$n" -le "$most" ] || most=$n
	[ "$(find meet -name 'ready.*' | wc -l)" -eq "$alike" ]
}
wait_for 100 all_ready || {
	show alike.err.*
	fail "only $(find meet -name 'ready.*' | wc -l) of $alike are ready"
}
echo "at most $most processes at once"
: >meet/go
sleep 20 # how long they work is no matter: all begin and end together
: >meet/stop
bad=0
for i in "${!pids[@]}"; do
	wait "${pids[i]}" || { echo "program $i: exit status $?" >&2; bad=1; }
done
[ $bad -eq 0 ] || { show alike.err.* real.err.*; fail "programs failed"; }

# ---- right, fair, nothing left -------------------------------------------------------------------------------------------

for i in 0 1 2 3 4 5 6 7 8 9; do
	cmp "native.$((i % 5))" "real.$i" || fail "the output of real program $i"
	[ ! -s "real.err.$i" ] || { show "real.err.$i"; fail "real program $i complains"; }
	[ "$(stat_of "real.stats.$i" excache.misses)" -gt 0 ] || echo "real program $i: no miss"
done
for i in $(seq $alike); do
	grep -qx 'wrong 0' "alike.$i" || fail "program $i read what it did not write"
	[ ! -s "alike.err.$i" ] || { show "alike.err.$i"; fail "program $i complains"; }
	echo "$(sed -n 's/^accesses //p' "alike.$i") $(stat_of "stats.$i" excache.misses) $(stat_of "stats.$i" excache.budget_changes)"
done | sort -n >progress
echo "accesses, misses, budget changes: the least"
head -n 3 progress
echo "the most"
tail -n 3 progress
least=$(head -n 1 progress | cut -d' ' -f1)
greatest=$(tail -n 1 progress | cut -d' ' -f1)
[ "$most" -ge 45 ] || fail "they did not run at once"
[ "$greatest" -le $((2 * least)) ] || fail "one got $least done while another got $greatest"
expect_freed "fifty programs"
passed
