#!/bin/bash
# Signals to the command of a standing rack are its program's: also two at once, however late the daemon hears of them. A
# daemon that stands still keeps nobody: who asks again, a second later, gets the shell back.
. "$(dirname "$0")/functions.sh"
rack_noise=yes # the gmm misses a daemon that stands still
rack_start 64M 2
stop_daemon() {
	kill -STOP "$daemon"
	wait_for 5 in_state "$daemon" T || fail "the daemon does not stop"
}

start run --rack "$rack" -- "$python" -c 'import signal
signal.pthread_sigmask(signal.SIG_BLOCK, (1, 15))
print("ready", flush=True)
print(sorted(int(signal.sigwait((1, 15))) for _ in range(2)), flush=True)'
wait_for 20 has_line "$tmp/out" ready || fail "it does not start"
stop_daemon
kill -TERM "$command"
kill -HUP "$command"
taken() { ended "$command" || grep -q '^ShdPnd:[[:space:]]*0*$' "/proc/$command/status"; }
wait_for 5 taken || fail "the command does not take its signals"
kill -CONT "$daemon"
wait_status "$command"
expect_status 0
[ "$(cat "$tmp/out")" = $'ready\n[1, 15]' ] && [ ! -s "$tmp/err" ] || fail "not both: $(cat "$tmp/out" "$tmp/err")"

start run --rack "$rack" -- sleep 100
wait_for 10 program_running "$command" || fail "it does not start"
stop_daemon
wait_for 20 ask_to_end "$command" || fail "it waits for a daemon that stands still"
kill -CONT "$daemon"
wait_status "$command"
expect_status 143
expect_one_line 'pcomponent p0 does not answer; the program is left to it'
wait_for 5 ended "$program" || fail "the program does not end with its command"
expect_freed "both"
passed
