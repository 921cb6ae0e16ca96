#!/bin/bash
# kill -9 of the command line: the program ends too, its frames are free within a second, nothing is left.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
rack_start 64M 2
run ashlar run --rack "$rack" -- true
expect_status 0
expect_freed "a first program"
descriptors=$(rack_descriptors)
for round in 1 2; do
	start run --rack "$rack" --excache 2M -- "$programs/walker" 20 0
	wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
	program=$(program_of "$command")
	expect_used $((10 << 20))
	kill -KILL "$command"
	expect_freed "kill -9 of the command"
	wait_for 1 ended "$program" || fail "the program runs on"
	wait "$command" 2>/dev/null
done
same_descriptors() { [ "$(rack_descriptors)" = "$descriptors" ]; }
wait_for 2 same_descriptors || fail "descriptors of the components: $descriptors, now $(rack_descriptors)"
# And of a private rack
start run --excache 2M -- "$programs/walker" 20 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
kill -KILL "$command"
wait "$command" 2>/dev/null
still() { [ "$(our_processes | wc -l)" -eq "${#parts[@]}" ]; }
wait_for 1 still || fail "left: $(our_processes)"
passed
