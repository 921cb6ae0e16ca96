#!/bin/bash
# kill -9 of each part of a standing rack: `rack up` starts that one alone, and the rack is usable as before. A program
# runs through the loss of its gmm, and the next gmm knows it: its pid, its memory, its right to be killed.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
standing_rack
ashlar rack up "$rack" >/dev/null || fail "no rack"
kill_parts() {
	local p pid
	for p in "$@"; do
		pid=$(part_pid "$p")
		kill -KILL "$pid"
		wait_for 5 ended "$pid" || fail "$p does not end"
	done
}
works() { ashlar run --rack "$rack" --excache 2M -- "$programs/walker" 5 1 >/dev/null 2>&1; }
for p in m0 s0 p0 m1 gmm; do
	pid=$(part_pid $p)
	kill_parts $p
	run ashlar rack up "$rack"
	expect_status 0
	grep -q '1 of 5 parts' "$tmp/out" || fail "$p: $(cat "$tmp/out")"
	rack_is_up 4 || fail "after $p: $(ashlar rack status "$rack")"
	works || fail "the rack is of no use after $p: $(ashlar run --rack "$rack" -- true 2>&1)"
	echo "$p: started anew, process $pid -> $(part_pid $p)"
done

pids() { ashlar ps --rack "$rack" --json | "$python" -c 'import json, sys
for r in json.load(sys.stdin)["processes"]: print(r["pid"], r["program"], r["remote_bytes"] > 1 << 20, r["budget_bytes"])'; }
start run --rack "$rack" --excache 2M -- "$programs/walker" 20 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
before=$(pids)
kill_parts gmm
n=$(wc -l <"$tmp/out")
wait_for 20 lines_more_than "$tmp/out" $((n + 5)) || fail "the program does not run on"
ashlar rack up "$rack" >/dev/null || fail "the gmm does not come back"
[ "$(pids)" = "$before" ] || fail "before: $before; now: $(pids)"
[ "$(rack_processes)" = 1 ] || fail "$(rack_processes) processes"
echo "known to the next gmm: $before"
works || fail "the rack is of no use"
ashlar kill --rack "$rack" -INT "${before%% *}" || fail "it cannot be killed"
wait_status "$command"
expect_status 3
expect_freed "the end of a process that an earlier gmm placed"

# Files outlive their storage component
start run --rack "$rack" -- sh -c 'i=0; while [ $i -lt 1000000 ]; do read -r line </etc/hostname || exit 1; i=$((i + 1)); echo $i; done'
wait_for 10 lines_more_than "$tmp/out" 5 || fail "the program does not start: $(cat "$tmp/err")"
kill_parts s0
ashlar rack up "$rack" >/dev/null || fail "the storage component does not come back"
n=$(wc -l <"$tmp/out")
wait_for 10 lines_more_than "$tmp/out" $((n + 5)) || fail "files do not come back: $(cat "$tmp/err")"
kill -TERM "$command"
wait_status "$command"
expect_status 143

# Promises outlive the gmm as well: what a processor component had promised is not promised again
start run --rack "$rack" --excache 200M -- sleep 60
wait_for 10 program_running "$command" || fail "no program: $(cat "$tmp/err")"
kill_parts gmm
ashlar rack up "$rack" >/dev/null || fail "the gmm does not come back"
(ashlar run --rack "$rack" --excache 200M -- true) 2>"$tmp/err2" && fail "200M of 256M twice"
cat "$tmp/err2"
kill -TERM "$command"
wait_status "$command"
expect_freed "a process"

# The gmm and a memory component at once: what was there is gone, and is not counted
start run --rack "$rack" --excache 2M -- "$programs/walker" 20 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
kill_parts m0 gmm
ashlar rack up "$rack" >/dev/null || fail "two of them do not come back"
wait_status "$command"
[ "$status" -ne 0 ] || fail "a program that lost its memory went well"
expect_freed "a process that lost a memory component"
works || fail "the rack is of no use"
passed
