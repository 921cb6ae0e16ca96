#!/bin/bash
# kill -9 of processes of a tree at random moments: the leader, one of the others, the command, all. Whatever is hit, the
# rest ends or goes on as on Linux, and in the end nothing is left: no frame, no descriptor, no process.
# TREE_ROUNDS: how many (10; make soak: 200). TREE_SEED: of the random choices.
# also: asan
# timeout: 900, soak 3000
. "$(dirname "$0")/functions.sh"
rack_noise=yes # who is killed on its way to a component may come there too late
rounds=${TREE_ROUNDS:-10}
[ -z "${ASHLAR_SOAK:-}" ] || rounds=${TREE_ROUNDS:-200}
RANDOM=${TREE_SEED:=$((RANDOM % 32768))}
echo "TREE_SEED=$TREE_SEED, $rounds rounds"
rack_start 64M 2
run ashlar run --rack "$rack" -- sh -c true
expect_status 0
expect_freed "a first program"
descriptors=$(rack_descriptors)
same_descriptors() { [ "$(rack_descriptors)" = "$descriptors" ]; }

# Makes processes without end: pipelines, subshells, programs; some of it in the background
cat >work.sh <<'END'
busy() { while :; do echo "$1" | tr a-z A-Z | cat >/dev/null; (: ; /bin/true); done; }
busy a & busy b & busy c
END
# Processes of the tree: those that have what `start` put into the environment, but for the command
tree() {
	grep -lzxF "ASHLAR_TEST_START=$mark.$started" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | grep -vx "$command"
}
# A member that was named when its parent died is waited for
all_is_free() { rack_is_empty && [ -z "$(tree)" ]; }

for ((round = 1; round <= rounds; round++)); do
	budget=$((RANDOM % 2)) kind=$((RANDOM % 4))
	[ $budget = 0 ] && budget=4M || budget=32M
	start run --rack "$rack" --excache $budget -- sh work.sh
	wait_for 10 program_running "$command" || fail "round $round: it does not start: $(cat "$tmp/err")"
	sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
	for ((i = RANDOM % 6; i > 0; i--)); do
		mapfile -t members < <(tree)
		[ ${#members[@]} -gt 0 ] || break
		victim=${members[RANDOM % ${#members[@]}]}
		[ "$victim" = "$program" ] || kill -KILL "$victim" 2>/dev/null
		sleep "0.0$((RANDOM % 10))"
	done
	case $kind in
	0) what="the leader"; kill -KILL "$program" 2>/dev/null ;;
	1) what="the command"; kill -KILL "$command" 2>/dev/null ;;
	2) what="all, by ashlar kill"
		pid=$(ashlar ps --rack "$rack" --json | "$python" -c 'import json, sys; print(json.load(sys.stdin)["processes"][0]["pid"])')
		ashlar kill --rack "$rack" -KILL "$pid" ;;
	3) what="the command is asked to end" ;;
	esac
	# Without its leader the rest goes on, until the command is asked to end
	case $kind in
	0 | 3) wait_for 20 ask_to_end "$command" ;;
	*) wait_for 20 ended "$command" ;;
	esac || fail "round $round, $what: the command does not end: $(cat "$tmp/err")"
	wait "$command" 2>/dev/null
	wait_for 12 all_is_free || fail "round $round, $what: left: $(tree; ashlar rack status "$rack")"
	wait_for 4 same_descriptors || fail "round $round, $what: descriptors: $descriptors, now $(rack_descriptors)"
	grep -v 'left running' "$tmp/err" | head -n 3
	run ashlar run --rack "$rack" --excache 4M -- sh -c '/bin/echo one | cat; echo $?'
	expect_status 0
	[ "$(cat "$tmp/out")" = $'one\n0' ] || fail "round $round, $what: then a program: $(cat "$tmp/out" "$tmp/err")"
done
passed
