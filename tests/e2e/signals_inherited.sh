#!/bin/bash
# Ignored and blocked signals are inherited through the command; signals sent to the command reach the program.
. "$(dirname "$0")/functions.sh"
all="INT QUIT PIPE HUP TERM CHLD"
# shellcheck disable=SC2086
same_as_native 1G "$programs/signalmask" $all
for ignored in INT PIPE TERM HUP; do
	(
		trap '' $ignored
		same_as_native 1G "$programs/signalmask" $all
	) || fail "with $ignored ignored"
done
for s in HUP TERM USR1 USR2 ALRM; do
	start run --excache 2M -- "$programs/walker" 8 0
	wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
	kill -$s "$command"
	wait_status "$command" 5
	[ "$status" -eq $((128 + $(kill -l $s))) ] || fail "$s sent to the command: exit status $status"
done
ulimit -c 0
# BUS more than once: it is the one by which the host kernel also tells of misses
for s in TERM KILL SEGV BUS BUS BUS ABRT SYS SYS; do
	start run --excache 2M -- "$programs/walker" 8 0
	wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
	kill -$s "$(program_of "$command")"
	wait_status "$command" 5
	[ "$status" -eq $((128 + $(kill -l $s))) ] || fail "$s sent to the program: exit status $status"
done
# A program that is stopped and goes on
start run --excache 2M -- "$programs/walker" 8 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
program=$(program_of "$command")
kill -STOP "$program"
wait_for 5 in_state "$command" T || fail "the command is not stopped with its program"
kill -CONT "$command"
n=$(wc -l <"$tmp/out")
wait_for 5 lines_more_than "$tmp/out" $((n + 3)) || fail "it does not go on"
kill -TERM "$command"
wait_status "$command" 5
expect_status 143
passed
