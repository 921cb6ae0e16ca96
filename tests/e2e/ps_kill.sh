#!/bin/bash
# ashlar ps shows what runs on a rack, ashlar kill signals it by its pid there.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
standing_rack
ashlar rack up "$rack" >/dev/null || fail "no rack"
run ashlar ps --rack "$rack"
expect_status 0
[ "$(wc -l <"$tmp/out")" -eq 1 ] || fail "an empty rack: $(cat "$tmp/out")"
start run --rack "$rack" --excache 2M -- "$programs/walker" 20 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
row() { ashlar ps --rack "$rack" --json | "$python" -c 'import json, sys
rows = json.load(sys.stdin)["processes"]
assert len(rows) == 1, rows
print(rows[0][sys.argv[1]])' "$1"; }
pid=$(row pid)
[ "$(row program)" = walker ] && [ "$(row uid)" = "$(id -u)" ] && [ "$(row processor)" = p0 ] || fail "$(ashlar ps)"
[ "$(row budget_bytes)" = $((2 << 20)) ] || fail "budget $(row budget_bytes)"
[ "$(row remote_bytes)" -gt $((1 << 20)) ] || fail "remote $(row remote_bytes)"
[ "$(row local_bytes)" -gt $((1 << 20)) ] || fail "local $(row local_bytes)"
[ "$(row silent_memories)" = 0 ] || fail "a memory component is silent"
worked() { [ "$(row cpu_ns)" -gt 0 ] && [ "$(row age_ms)" -gt 0 ]; }
wait_for 10 worked || fail "no time passes"
ashlar ps --rack "$rack"

run ashlar kill --rack "$rack" -0 "$pid"
expect_status 0
run ashlar kill --rack "$rack" -STOP "$pid"
expect_status 0
stopped() { [ "$(row state)" = T ]; }
wait_for 10 stopped || fail "state $(row state)"
run ashlar kill --rack="$rack" -s sigcont "$pid"
expect_status 0
wait_for 10 eval '! stopped' || fail "state $(row state)"
run ashlar kill --rack "$rack" -9 1 "$pid" x
expect_status 1
grep -q 'no process 1$' "$tmp/err" && grep -q 'x is no pid' "$tmp/err" || fail "$(cat "$tmp/err")"
: >"$tmp/err"
wait_status "$command"
expect_status 137
run ashlar kill --rack "$rack" "$pid"
expect_status 1
expect_one_line "there is no process $pid"
run ashlar kill --rack "$rack" -NOSUCH "$pid"
expect_status 125
expect_one_line 'no signal NOSUCH'
run ashlar kill --rack "$rack"
expect_status 125
expect_one_line 'which process'
# A program with processes that it made: one line, or all of them; KILL ends all
start run --rack "$rack" -- sh -c 'sleep 87 & sleep 88 & wait; echo never'
three() { [ "$(row processes)" = 3 ] && [ "$(ashlar ps --rack "$rack" --tree | grep -c ' S sleep (')" = 2 ]; }
wait_for 10 three || fail "$(ashlar ps --rack "$rack" --tree; cat "$tmp/err")"
ashlar ps --rack "$rack" -t
case $(row program) in *sh) ;; *) fail "it is called $(row program)" ;; esac
mapfile -t made < <(ashlar ps --rack "$rack" --tree | sed -n 's/.* S [a-z]* (\(.*\))$/\1/p')
[ ${#made[@]} = 3 ] || fail "made: ${made[*]}"
ashlar kill --rack "$rack" -KILL "$(row pid)" || fail "kill"
wait_status "$command"
expect_status 137
for p in "${made[@]}"; do wait_for 1 ended "$p" || fail "process $p goes on"; done
# A memory component that does not answer: the rest is shown, and that something is missing
start run --rack "$rack" --excache 2M -- "$programs/walker" 20 0
wait_for 10 has_line "$tmp/out" '^pass 2' || fail "the program does not start: $(cat "$tmp/err")"
kill -STOP "$(part_pid m0)"
[ "$(row silent_memories)" = 1 ] || fail "$(ashlar ps --rack "$rack")"
kill -CONT "$(part_pid m0)"
ashlar kill --rack "$rack" -KILL "$(row pid)" || fail "kill"
wait_status "$command"
expect_status 137
passed
