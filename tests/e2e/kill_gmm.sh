#!/bin/bash
# kill -9 of the gmm: programs run on; new ones do not start, and are told so.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
rack_noise=yes
rack_start 64M 2
start run --rack "$rack" --excache 2M -- "$programs/walker" 20 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
kill -KILL "$gmm"
wait_for 2 ended "$gmm"
n=$(wc -l <"$tmp/out")
wait_for 20 lines_more_than "$tmp/out" $((n + 5)) || fail "the program does not run on: $(cat "$tmp/err")"
kill -INT "$(program_of "$command")"
wait_status "$command"
expect_status 3
[ "$(wc -l <"$tmp/err")" -le 1 ] || fail "too many words: $(cat "$tmp/err")"
cat "$tmp/err"
run ashlar run --rack "$rack" -- true
expect_status 125
expect_one_line 'gmm'
passed
