#!/bin/bash
# kill -9 of a memory component: programs with pages there end with a message that names it; others run on; the rack
# serves the next program.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
rack_noise=yes
rack_start 64M 2
start run --rack "$rack" -- "$programs/walker" 4 0 quiet
small=$command
wait_for 10 program_running "$command" || fail "the program does not start"
mv "$tmp/err" "$tmp/err.small"
start run --rack "$rack" --excache 2M -- "$programs/walker" 30 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
kill -KILL "${memory[1]}"
wait_status "$command" 5
echo "exit status $status: $(cat "$tmp/err")"
[ "$status" -eq 135 ] || [ "$status" -eq 125 ] || fail "neither SIGBUS nor a failure of the rack"
grep -q 'm1' "$tmp/err" || fail "the component is not named"
[ "$(wc -l <"$tmp/err")" -le 2 ] || fail "too many words"
ended "$small" && fail "a program without pages there ended too: $(cat "$tmp/err.small")"
run ashlar run --rack "$rack" --excache 2M -- "$programs/walker" 20 3
expect_status 0
kill -TERM "$small"
wait_status "$small"
expect_status 143
expect_freed "all"
passed
