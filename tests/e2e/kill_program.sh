#!/bin/bash
# kill -9 of the program: its frames are free within a second, and nothing of it is left; others run on.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
rack_start 64M 2
run ashlar run --rack "$rack" -- true
expect_status 0
expect_freed "a first program"
descriptors=$(rack_descriptors)

start run --rack "$rack" --excache 2M -- "$programs/walker" 10 0 quiet
other=$command
for round in 1 2 3; do
	start run --rack "$rack" --excache 2M --stats "$tmp/stats" -- "$programs/walker" 20 0
	wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
	expect_used $((10 << 20))
	kill -KILL "$(program_of "$command")"
	from=$(now_ms)
	wait_status "$command" 2
	expect_status 137
	[ ! -s "$tmp/err" ] || fail "stderr: $(cat "$tmp/err")"
	[ "$(stat_of "$tmp/stats" excache.misses)" -gt 0 ] || fail "no counters"
	one_process() { [ "$(rack_processes)" = 1 ] && [ "$(rack_bytes_used)" -le $((14 << 20)) ]; }
	wait_for 1 one_process || fail "frames are left: $(ashlar rack status "$rack")"
	echo "free again, and the command ended, after $(($(now_ms) - from)) ms"
done
kill -0 "$other" || fail "the other program ended too"
kill -TERM "$other"
wait_status "$other"
expect_status 143
expect_freed "the other program"
same_descriptors() { [ "$(rack_descriptors)" = "$descriptors" ]; }
wait_for 2 same_descriptors || fail "descriptors of the components: $descriptors, now $(rack_descriptors)"
passed
