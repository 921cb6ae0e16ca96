#!/bin/bash
# A program behind emulated links runs as natively, and its misses and traces show the links.
# also: asan
. "$(dirname "$0")/functions.sh"
miss_p50() { stat_of "$tmp/stats" excache.miss_ns.p50; }

ashlar run --excache 2M --emulate latency=1ms --stats "$tmp/stats" -- "$programs/walker" 4 2 >"$tmp/out" ||
	fail "behind 1 ms: $?"
[ "$(cat "$tmp/out")" = "$(printf 'pass 1\npass 2')" ] || fail "behind 1 ms: $(cat "$tmp/out")"
[ "$(stat_of "$tmp/stats" excache.misses)" -gt 100 ] || fail "no misses"
[ "$(miss_p50)" -ge 1000000 ] || fail "misses of $(miss_p50) ns are too fast for a link of 1 ms"
echo "misses behind 1 ms: p50 $(miss_p50) ns"
# 4 KB at 100 Mb/s are 328 us
ashlar run --excache 2M --emulate bandwidth=100M --stats "$tmp/stats" -- "$programs/walker" 4 2 >"$tmp/out" ||
	fail "behind 100 Mb/s: $?"
[ "$(miss_p50)" -ge 300000 ] || fail "misses of $(miss_p50) ns are too fast for a link of 100 Mb/s"
echo "misses behind 100 Mb/s: p50 $(miss_p50) ns"
# Loss is delay and nothing else
for how in latency=5us,jitter=5us,loss=0.01,seed=3 latency=20us,bandwidth=1G,loss=0.05,retransmit=200us; do
	run ashlar run --excache 2M --emulate $how -- "$programs/walker" 8 2
	expect_status 0
	[ "$(cat "$tmp/out")" = "$(printf 'pass 1\npass 2')" ] || fail "$how: $(cat "$tmp/out")"
	run ashlar run --emulate $how -- sort "$top/docs/tour.md"
	expect_status 0
	sort "$top/docs/tour.md" | cmp -s - "$tmp/out" || fail "sort with $how is not as natively"
done
# A component says what passes; a wrapper that is wrong stops it
rack_start 64M 1
addr=$(sed -n 's/^gmm = "\(.*\)"/\1/p' "$rack")
rack_part mcomponent --gmm "$addr" --name traced --size 64M --hook "trace:file=$tmp/trace"
wait_for 10 has_line "$tmp/ready.$part" '^ready ' || fail "a component with a trace does not start"
wait_for 10 has_line "$tmp/trace" ' conn 1 recv [0-9]* X2G_JOIN reply ' || fail "no trace: $(cat "$tmp/trace")"
has_line "$tmp/trace" ' conn 1 send 0 [0-9]* X2G_JOIN request ' || fail "no trace: $(cat "$tmp/trace")"
run ashlar run --rack "$rack" --excache 2M --emulate latency=10us -- "$programs/walker" 4 1
expect_status 0
has_line "$tmp/trace" ' P2M_SLAB_GET request ' || fail "the component's trace knows nothing of the process"
run timeout 20 "$bin/mcomponent" --hook 'emulate:latency=5' --gmm local:@x --name m --size 1M
[ "$status" -eq 2 ] || fail "a wrong wrapper: $status"
expect_one_line 'bad value for --hook: emulate: latency=5: a time'
rack_stop
passed
