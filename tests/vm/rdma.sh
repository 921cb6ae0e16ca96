#!/bin/bash
# That it is RDMA, and what it withstands. One rack of VMs: transfers are counted by the device and the interface as the
# pages demand, the memory monitor serves nothing for a miss and may stand still; a link that is down for 2 s, a machine
# that stands still for 5 s, a gmm and a storage machine that die cost no byte; the end of a memory machine is what
# docs/failure.md says.
# timeout: 900
# only: test-vm
. "$(dirname "$0")/functions.sh"
vm_up

vm_put m0 "$programs/halt"
vm_put m1 "$programs/halt"
counters() { # node: bytes of the interface received and sent, packets of the device received and sent
	ashlar vm exec "$1" sh -c 'cd /sys/class; echo $(cat net/eth0/statistics/[rt]x_bytes infiniband/rxe0/ports/1/hw_counters/rcvd_pkts \
		infiniband/rxe0/ports/1/hw_counters/sent_pkts)' </dev/null
}
served() { echo $(($(vm_row m0 requests) + $(vm_row m1 requests))); }
passes() { lines_more_than "$tmp/out" "$1"; }
progress() { # what, seconds: two more passes
	local n
	n=$(wc -l <"$tmp/out")
	wait_for "$2" passes $((n + 1)) || fail "after $1 the program does not go on: $(tail -n 3 "$tmp/err")"
	ended "$command" && fail "after $1 the program is gone: $(cat "$tmp/err")"
	echo "$1: it goes on after $SECONDS s"
}

# Both memory monitors stand still for 10 s: a program that reads what it has there reads on
start vm run --excache 2M -- "$programs/touch" 1024 1000000 read random 1 1
filled() { # nothing is asked of the memory monitors any more
	local n
	n=$(served)
	sleep 3
	[ "$n" -gt 0 ] && [ "$(served)" = "$n" ]
}
wait_for 120 filled || fail "it does not come to an end of filling its memory"
ashlar vm exec m0 /tmp/halt 1 10 </dev/null >"$tmp/halt0" &
halts=$!
ashlar vm exec m1 /tmp/halt 1 10 </dev/null >"$tmp/halt1" &
halts+=" $!"
wait_for 10 has_line "$tmp/halt0" halted && wait_for 10 has_line "$tmp/halt1" halted || fail "not halted"
before=($(counters p0))
sleep 7
after=($(counters p0))
# shellcheck disable=SC2086 # two numbers
kill -0 $halts || fail "the monitors were not halted for as long"
echo "monitors halted: $(((after[0] - before[0]) / 4096)) pages' bytes came in 7 s, $((after[2] - before[2])) packets of rxe"
[ $((after[0] - before[0])) -ge $((50 * 4096)) ] || fail "misses do not go on while the monitors stand"
# shellcheck disable=SC2086
wait $halts
kill -TERM "$command"
wait_status "$command" 20
expect_status 143

# A program that looks at each byte of 3 MB with 2 MB local, for ever: 512 pages at least come and go in each pass
start vm run --excache 2M -- "$programs/checker" 3 "$tmp/work/file"
wait_for 150 passes 2 || fail "it does not begin: $(cat "$tmp/err")"

# Counters: reading only adds transfers, and messages only for the page map and for frames
before=($(counters p0)) asked=$(served) n=$(wc -l <"$tmp/out")
wait_for 200 passes $((n + 3)) || fail "no progress"
after=($(counters p0)) now=$(served) passed=$(($(wc -l <"$tmp/out") - n))
bytes=$((passed * 512 * 4096))
echo "$passed passes, at least $bytes bytes each way: interface $((after[0] - before[0])) in, $((after[1] - before[1])) out;" \
	"rxe $((after[2] - before[2])) packets in, $((after[3] - before[3])) out; memory monitors served $((now - asked)) requests"
[ $((after[0] - before[0])) -ge $bytes ] || fail "fewer bytes came over the interface than pages were read"
[ $((after[2] - before[2])) -ge $((passed * 512)) ] || fail "fewer packets of rxe than pages"
# heartbeats of the gmm are no requests of theirs; batches of the page map are, 64 entries each
[ $((now - asked)) -lt $((passed * 512 / 4)) ] || fail "the memory monitors served $((now - asked)) requests for $((passed * 512)) misses"


# The link of a memory machine is down for 2 s
ashlar vm link m0 down && sleep 2 && ashlar vm link m0 up || fail "link"
progress "2 s without the link of m0" 150
ashlar vm link p0 down && sleep 2 && ashlar vm link p0 up || fail "link"
progress "2 s without the link of p0" 150

# A memory machine stands still for 5 s
ashlar vm pause m1 && sleep 5 && ashlar vm resume m1 || fail "pause"
progress "5 s of m1 standing still" 150

# The gmm's machine dies: nobody needs it; a new one has its rack back
ashlar vm kill gmm || fail "kill gmm"
progress "the end of the gmm" 150
run ashlar vm restart gmm
expect_status 0
progress "a new gmm" 150

# The storage machine dies, and comes back: calls on its files wait
ashlar vm kill s0 || fail "kill s0"
wait_for 30 has_line "$tmp/err" 'calls on its files wait' || fail "no word of s0's end: $(cat "$tmp/err")"
ashlar vm restart s0 >"$tmp/restart" 2>&1 || fail "restart s0: $(cat "$tmp/restart")"
progress "the storage machine's restart" 150

# Every byte is right up to here
kill -INT "$command"
wait_status "$command" 150
expect_status 3
has_line "$tmp/out" '^right$' || fail "not right: $(tail -n 2 "$tmp/out" "$tmp/err")"

# A memory machine dies: a program with pages there is told, and ends by SIGBUS when it needs them
start vm run --excache 2M -- "$programs/walker" 6 0
wait_for 120 passes 1 || fail "it does not begin: $(cat "$tmp/err")"
ashlar vm kill m0 || fail "kill m0"
wait_status "$command" 150
expect_status 135
grep -q 'memory component m0 is gone' "$tmp/err" || fail "not named: $(cat "$tmp/err")"
run ashlar vm run -- true
expect_status 0
vm_down
passed
