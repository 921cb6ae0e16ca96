#!/bin/bash
# The rack's memory is used up: ENOMEM, or the program ends with a message that names the component and sizes; other
# programs run on, and the rack serves the next program.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
rack_noise=yes
rack_start 16M 2
start run --rack "$rack" --excache 2M -- "$programs/walker" 6 0 quiet
other=$command
wait_for 10 program_running "$command" || fail "the program does not start"
mv "$tmp/err" "$tmp/err.other"
for how in mmap malloc brk; do
	run ashlar run --rack "$rack" --excache 2M --stats "$tmp/stats" -- "$programs/hog" 200 $how
	echo "$how: exit status $status, $(cat "$tmp/out") $(cat "$tmp/err")"
	if [ "$status" -eq 4 ]; then
		grep -q '^refused: ENOMEM, wrong words 0$' "$tmp/out" || fail "not ENOMEM, or memory is wrong"
	else
		[ "$status" -ne 0 ] || fail "200 MB fit into 34"
		grep -qE 'm[01] .*[0-9]+[KMG]' "$tmp/err" ||
			fail "the message does not name the component and sizes"
		[ "$(wc -l <"$tmp/err")" -le 2 ] || fail "too many words"
	fi
done
# The same where the memory is reserved first and used later: there is no call that could say ENOMEM.
run ashlar run --rack "$rack" --excache 2M -- "$programs/walker" 200 2 quiet
echo "walker: exit status $status, $(cat "$tmp/err")"
[ "$status" -ne 0 ] || fail "200 MB fit into 34"
if [ "$status" -ne 99 ]; then
	grep -qE 'm[01] .*[0-9]+[KMG]' "$tmp/err" || fail "the message does not name the component and sizes"
	[ "$(wc -l <"$tmp/err")" -le 2 ] || fail "too many words"
fi
ended "$other" && fail "another program ended too: $(cat "$tmp/err.other")"
kill -TERM "$other"
wait_status "$other"
expect_status 143
expect_freed "all"
run ashlar run --rack "$rack" --excache 2M --stats "$tmp/stats" -- "$programs/walker" 24 3
expect_status 0
expect_freed "the next program"
# A private rack says the same
run ashlar run --memory 2x8M --excache 2M -- "$programs/hog" 100
echo "private: exit status $status, $(cat "$tmp/out") $(cat "$tmp/err")"
[ "$status" -ne 0 ] || fail "100 MB fit into 18"
passed
