#!/bin/bash
# Rounds of kill -9: of a program, its command, the node daemon, a memory component, the storage component, the gmm, these two together, at a
# random moment under a workload that checks every byte. After each: what docs/failure.md states has come, nothing is left,
# and the rack serves on, with the component started anew where it was one.
# KILL_ROUNDS: how many (10; make soak: 100). KILL_SEED: of the random choices.
# also: asan
# timeout: 1500, soak 4500
. "$(dirname "$0")/functions.sh"
rack_noise=yes
rounds=${KILL_ROUNDS:-10}
[ -z "${ASHLAR_SOAK:-}" ] || rounds=${KILL_ROUNDS:-100}
RANDOM=${KILL_SEED:=$((RANDOM % 32768))}
echo "KILL_SEED=$KILL_SEED, $rounds rounds"
rack_start 64M 2

# Programs 0 and 1 have pages on both memory components; 2 fits into its local memory and has none.
sizes=(12 12 1) budgets=(2M 3M 64M)
job_start() { # number
	ASHLAR_TEST_MARK=$mark ASHLAR_TEST_START=$mark.job$1 "$bin/ashlar" run --rack "$rack" --excache "${budgets[$1]}" -- \
		"$programs/checker" "${sizes[$1]}" "$tmp/work/file$1" >"$tmp/out.$1" 2>"$tmp/err.$1" </dev/null &
	job[$1]=$!
}
jobs_start() {
	for i in 0 1 2; do job_start $i; done
	for i in 0 1 2; do
		wait_for 30 has_line "$tmp/out.$i" '^pass 3$' || fail "program $i does not start: $(cat "$tmp/err.$i")"
		wait_for 5 program_running "${job[i]}" ||
			fail "program $i is not there: $(tail -n 3 "$tmp/out.$i" "$tmp/err.$i"; ended "${job[i]}" && echo ended)"
		prog[i]=$program
	done
}
doze() { sleep "0.$((RANDOM % 5))$((RANDOM % 10))"; }

job_ends() { # number, pattern of the exit status, pattern of stderr
	wait_for 20 ended "${job[$1]}" || fail "program $1 does not end: $(cat "$tmp/err.$1")"
	local s=0
	wait "${job[$1]}" 2>/dev/null || s=$?
	[[ $s =~ ^($2)$ ]] || fail "program $1 ended with $s, not $2: $(cat "$tmp/err.$1")"
	[ -z "$3" ] || grep -q -e "$3" "$tmp/err.$1" || fail "program $1 says: $(cat "$tmp/err.$1")"
}
job_goes_on() { # number: some passes more, then its end when asked, with everything right
	local n
	n=$(wc -l <"$tmp/out.$1")
	wait_for 30 lines_more_than "$tmp/out.$1" $((n + 2)) || fail "program $1 does not go on: $(cat "$tmp/err.$1")"
	kill -INT "${prog[$1]}"
	job_ends "$1" 3 ''
	grep -q '^right$' "$tmp/out.$1" || fail "program $1 is not right: $(tail -n 3 "$tmp/out.$1")"
}
killed() { # pid
	kill -KILL "$1"
	wait_for 5 ended "$1" || fail "process $1 does not die"
	wait "$1" 2>/dev/null
}

round_program() {
	kill -KILL "${prog[0]}"
	job_ends 0 137 ''
	job_goes_on 1
	job_goes_on 2
}
round_command() {
	killed "${job[1]}"
	wait_for 5 ended "${prog[1]}" || fail "the program outlives its command"
	job_goes_on 0
	job_goes_on 2
}
round_daemon() {
	killed "$daemon"
	for i in 0 1 2; do job_ends $i 125 'p0'; done
	rack_processor
	wait_for 10 has_line "$tmp/ready.$daemon" ready || fail "the daemon does not come back"
}
round_memory() {
	local m=$((RANDOM % 2))
	killed "${memory[m]}"
	for i in 0 1; do job_ends $i '135|125' "m$m"; done
	job_goes_on 2
	rack_memory $m
	wait_for 10 has_line "$tmp/ready.${memory[m]}" ready || fail "the memory component does not come back"
}
round_storage() {
	killed "$storage"
	doze
	rack_storage
	for i in 0 1 2; do job_goes_on $i; done
}
round_gmm() {
	killed "$gmm"
	doze
	rack_gmm
	for i in 0 1 2; do job_goes_on $i; done
	wait_for 10 rack_complete || fail "the components do not join again: $(ashlar rack status "$rack")"
}
# The new gmm learns of the processes from the daemon, the new storage component from the new gmm
round_both() {
	killed "$gmm"
	killed "$storage"
	rack_gmm
	doze
	rack_storage
	for i in 0 1 2; do job_goes_on $i; done
	wait_for 10 rack_complete || fail "the components do not join again: $(ashlar rack status "$rack")"
}
rack_complete() { [ "$(ashlar rack status "$rack" | grep -cw up)" -eq 4 ]; }

kinds=(program command daemon memory storage gmm both)
for ((round = 1; round <= rounds; round++)); do
	[ $(((round - 1) % 7)) -ne 0 ] || mapfile -t order < <(shuf -e "${kinds[@]}" --random-source=<(yes "$KILL_SEED $round"))
	kind=${order[(round - 1) % 7]}
	jobs_start
	doze
	"round_$kind"
	expect_freed "round $round: $kind"
	wait_for 10 rack_complete || fail "the rack is not complete: $(ashlar rack status "$rack")"
	run ashlar run --rack "$rack" --excache 2M -- "$programs/walker" 8 3
	expect_status 0
done
passed
