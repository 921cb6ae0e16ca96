#!/bin/bash
# An idle standing rack of 1P+2M+1S and a gmm takes less than 1 % of a core: counted in ticks of CPU time and in wake-ups
# of all its parts together, over 60 s in `make soak`, 10 s otherwise.
# timeout: 150, soak 250
. "$(dirname "$0")/functions.sh"
seconds=10
[ -z "${ASHLAR_SOAK:-}" ] || seconds=60
standing_rack
ashlar rack up "$rack" >/dev/null || fail "no rack"
ashlar run --rack "$rack" -- true || fail "it does not work"
wait_for 5 rack_is_empty || fail "it is not idle"
sleep 1 # what the program was given is given back in the background
parts_of="gmm p0 m0 m1 s0"
ticks() {
	local p f sum=0
	for p in $parts_of; do
		read -ra f <<<"$(sed 's/.*) //' "/proc/$(part_pid "$p")/stat")"
		sum=$((sum + f[11] + f[12]))
	done
	echo $sum
}
wakeups() {
	local p sum=0
	for p in $parts_of; do
		sum=$((sum + $(cat "/proc/$(part_pid "$p")"/task/*/status | awk '/ctxt_switches/ { n += $2 } END { print n }')))
	done
	echo $sum
}
run_ns() {
	local p sum=0
	for p in $parts_of; do
		sum=$((sum + $(awk '{ n += $1 } END { print n }' "/proc/$(part_pid "$p")"/task/*/schedstat)))
	done
	echo $sum
}
t=$(ticks) w=$(wakeups) n=$(run_ns)
sleep "$seconds"
t=$(($(ticks) - t)) w=$(($(wakeups) - w)) n=$(($(run_ns) - n))
per_second=$(getconf CLK_TCK)
echo "$seconds s idle: $t ticks of 1/$per_second s, $((n / 1000)) us of CPU time, $w switches"
[ $((t * 100)) -lt $((seconds * per_second)) ] || fail "more than 1 % of a core"
[ "$w" -gt 0 ] || fail "nothing was counted"
[ "$w" -lt $((seconds * 100)) ] || fail "$((w / seconds)) switches a second"
passed
