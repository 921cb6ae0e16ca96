#!/bin/bash
# kill -9 of the node daemon: its programs end, with a message; frames are free within a second; nothing is left.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
rack_noise=yes # the components may tell of it
rack_start 64M 2
start run --rack "$rack" --excache 2M -- "$programs/walker" 20 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
program=$(program_of "$command")
expect_used $((10 << 20))
kill -KILL "$daemon"
expect_freed "kill -9 of the daemon"
wait_for 1 ended "$program" || fail "the program runs on"
wait_status "$command" 2
expect_status 125
# The dispatcher may have said it before the command did
[ "$(wc -l <"$tmp/err")" -le 2 ] && [ "$(grep -c 'p0 is gone' "$tmp/err")" -eq "$(wc -l <"$tmp/err")" ] ||
	fail "the message is: $(cat "$tmp/err")"
cat "$tmp/err"
# Without a processor the rack says so; with a new one it works again.
run ashlar run --rack "$rack" -- true
expect_status 125
expect_one_line 'no processor component'
rack_part pcomponent --gmm "$(rack_address gmm)" --name p1 --excache 64M
wait_for 5 has_line "$tmp/ready.$part" '^ready' || fail "a new processor does not join"
run ashlar run --rack "$rack" --excache 2M -- "$programs/walker" 8 2
expect_status 0
expect_freed "a program on the new processor"
passed
