#!/bin/bash
# A shell inside, at a terminal: its jobs have the keys, in the foreground and in the background, on a private rack and on
# one that stands.
. "$(dirname "$0")/functions.sh"
# Of ours, a sleep of so many seconds: by what it was started with
sleeping() {
	local p
	for p in $(grep -lzxF "ASHLAR_TEST_MARK=$ASHLAR_TEST_MARK" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" != sleep ] || ! tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "sleep $1 " || return 0
	done
	return 1
}
export -f sleeping
rack_start 64M 2
export rack daemon
for where in "" "--rack $rack"; do
	echo "where: ${where:-a rack of its own}"
	export where
	terminal <<'END' || fail "not as in a shell"
type tty; $ashlar run $where -- bash --norc --noprofile --noediting -i; echo outer status $?
type PS1='in$ '; stty -echo; unset HISTFILE; echo inner be''gins
expect inner begins
type cat
type to and fro
expect to and fro
key C-d
type echo status $?
expect status 0
# Ctrl-C ends the job, not the shell
type sleep 77; echo status $?
check sleeping 77
key C-c
type echo status $?
expect status 130
# Ctrl-Z stops it; fg, bg, jobs
type sleep 3; echo status $?
check sleeping 3
key C-z
expect Stopped
expect status 148
type jobs
expect Stopped
type bg; echo in background
expect in background
type jobs
expect Running
type wait; echo waited $?
expect waited 0
type cat | tr a-z A-Z
type through a pipe
key C-d
expect THROUGH A PIPE
type sleep 66 & kill -STOP $!; until [ "$(jobs -s)" ]; do sleep 0.01; done; jobs
expect Stopped
type kill -KILL $!; while [ "$(jobs -s)" ]; do sleep 0.01; done; wait $!; echo status $?
expect status 137
# A job of the background that reads stops
type cat & until [ "$(jobs -s)" ]; do sleep 0.01; done; jobs
expect Stopped
type kill -KILL %1; while [ "$(jobs -s)" ]; do sleep 0.01; done; jobs; echo gone
expect Killed
expect gone
type exit 5
expect outer status 5
# and the outer shell has its terminal
type stty -a | tr ' ' '\n' | grep -c '^icanon'; echo done
expect 1
expect done
END
done
# Ctrl-C reaches a whole pipeline of a script, and Ctrl-Z stops it with its command
terminal <<'END' || fail "a script's jobs"
type $ashlar run -- sh -c 'sleep 55 | sleep 54; echo not here'; echo status $?
check sleeping 55 && sleeping 54
key C-c
expect status 130
type $ashlar run -- sh -c 'sleep 2; echo slept'; echo status $?
check sleeping 2
key C-z
expect Stopped
type fg
expect slept
type echo status $?
expect status 0
# what a program leaves running is ended by Ctrl-C
type $ashlar run -- sh -c 'setsid sleep 53 & exit 6'; echo status $?
expect left running: sleep
key C-c
expect status 6
check ! sleeping 53
END
expect_freed "all"
passed
