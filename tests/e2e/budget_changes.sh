#!/bin/bash
# A program whose ExCache grows and shrinks many times while it runs reads what it wrote; one that sleeps gives back too.
# timeout: 120
. "$(dirname "$0")/functions.sh"
rack_start 256M 2 / 48M

# Neighbours come and go; each time both have half, or one has all.
neighbours() { # how many
	local i
	for ((i = 0; i < $1; i++)); do
		run ashlar run --rack "$rack" -- "$programs/hog" 40 malloc
		expect_status 0
	done
}
mkdir meet
: >meet/go
start run --rack "$rack" --stats "$tmp/stats" -- "$programs/progress" 9000 "$PWD/meet"
busy=$command
ready() { [ -n "$(find meet -name 'ready.*')" ]; }
wait_for 20 ready || fail "it does not start: $(cat "$tmp/err")"
neighbours 12
: >meet/stop
wait_status "$busy" 30
expect_status 0
changes=$(stat_of "$tmp/stats" excache.budget_changes)
echo "$changes changes of the budget, $(stat_of "$tmp/stats" excache.misses) misses," \
	"$(stat_of "$tmp/stats" excache.budget_bytes) bytes at the end"
[ "$changes" -ge 10 ] || fail "only $changes changes of the budget"
[ "$(stat_of "$tmp/stats" excache.budget_bytes)" -le $((48 << 20)) ] || fail "more than there is"

# One that sleeps in read(2), and had fitted until then: it is registered late, gives back, and has all that it had.
"$python" -c 'import os; os.mkfifo("wake")'
input=wake
exec 8<>wake
start run --rack "$rack" --stats "$tmp/stats" -- "$python" -c 'import sys
a = [bytes([i % 251]) * 4096 for i in range(8000)]
print("filled", flush=True)
sys.stdin.read(1)
print(all(a[i] == bytes([i % 251]) * 4096 for i in range(8000)), flush=True)'
sleeper=$command
input=/dev/null
wait_for 20 has_line "$tmp/out" '^filled' || fail "it does not start: $(cat "$tmp/err")"
program=$(program_of "$sleeper")
anonymous() { sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$program/status"; }
before=$(anonymous)
ASHLAR_TEST_MARK=$mark "$bin/ashlar" run --rack "$rack" -- "$programs/walker" 40 6 >walked 2>&1 </dev/null &
walker=$!
gave_back() { [ "$(anonymous)" -lt $((before - 8192)) ]; }
wait_for 15 gave_back || fail "the sleeper keeps $(anonymous) of $before KB"
echo "the sleeper had $before KB, now $(anonymous)"
wait_status "$walker" 30
expect_status 0
echo x >&8
wait_status "$sleeper" 20
exec 8>&-
expect_status 0
has_line "$tmp/out" '^True' || fail "it has not what it had"
[ "$(stat_of "$tmp/stats" detail.registered)" = 1 ] || fail "it was not registered late"
expect_freed "all"
passed
