#!/bin/bash
# What a program leaves running lives on, as on Linux: the command waits for it, says so after a second, and has the
# program's exit status. Ctrl-C or SIGTERM end it, and nothing is left. On a private rack and on one that stands.
. "$(dirname "$0")/functions.sh"
left() { # where.. : the command's options
	run ashlar run "$@" -- sh -c '(sleep 0.4; echo later) & echo first; exit 7'
	expect_status 7
	[ "$(cat "$tmp/out")" = $'first\nlater' ] && [ ! -s "$tmp/err" ] || { show "$tmp/out" "$tmp/err"; fail "$*"; }
	# A daemon: a session of its own, its parents gone
	run ashlar run "$@" -- sh -c '(setsid sh -c "sleep 0.4; echo later" &) ; echo first'
	expect_status 0
	[ "$(cat "$tmp/out")" = $'first\nlater' ] || { show "$tmp/out" "$tmp/err"; fail "$*"; }
	# It says once whom it waits for
	run ashlar run "$@" -- sh -c 'sleep 1.7 & exit 3'
	expect_status 3
	expect_one_line 'left running: sleep \([0-9]+\); Ctrl-C ends them'
	# Asked to end, it ends them
	start run "$@" -- sh -c 'sleep 97 & sleep 98 & exit 4'
	wait_for 10 has_line "$tmp/err" 'sleep ([0-9]*), sleep ([0-9]*);' || fail "it does not say: $(cat "$tmp/err")"
	sleepers=$(grep -o '([0-9]*)' "$tmp/err" | tr -d '()')
	kill -TERM "$command"
	wait_status "$command" 3
	expect_status 4
	for p in $sleepers; do wait_for 1 ended "$p" || fail "process $p goes on"; done
	# The program is killed, and what it made goes on
	start run "$@" -- sh -c '(sleep 1; echo later) & echo $$; exec sleep 99'
	wait_for 10 has_line "$tmp/out" '^[0-9]' || fail "it does not start: $(cat "$tmp/err")"
	wait_for 5 program_running "$command" || fail "where is the program?"
	kill -KILL "$program"
	wait_status "$command" 10
	expect_status 137
	grep -q later "$tmp/out" || fail "what it made did not go on"
	# The command is killed: all of it ends
	start run "$@" -- sh -c 'sleep 97 & echo $!; sleep 98 & echo $!; exit 4'
	wait_for 10 lines_more_than "$tmp/out" 1 || fail "it does not start: $(cat "$tmp/err")"
	kill -KILL "$command"
	wait "$command" 2>/dev/null
	for p in $(cat "$tmp/out"); do wait_for 1 ended "$p" || fail "process $p outlives its command"; done
}
left
rack_start 64M 2
left --rack "$rack"
expect_freed "all"
passed
