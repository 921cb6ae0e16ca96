#!/bin/bash
# Many programs, one after another and several at a time, on one rack: nothing adds up.
# also: asan ofi
. "$(dirname "$0")/functions.sh"
rack_start 256M 3
run ashlar run --rack "$rack" --excache 2M -- "$programs/walker" 8 2
expect_status 0
expect_freed "a first program"
descriptors=$(rack_descriptors)
for i in $(seq 20); do
	run ashlar run --rack "$rack" --excache 2M -- "$programs/walker" 6 2
	expect_status 0
done
pids=()
for i in 1 2 3 4; do
	ASHLAR_TEST_MARK=$mark "$bin/ashlar" run --rack "$rack" --excache 2M -- "$programs/twothreads" $((4 + i)) >"$tmp/out.$i" 2>&1 &
	pids+=($!)
done
for i in 1 2 3 4; do
	wait "${pids[i - 1]}" || fail "one of four: $(cat "$tmp/out.$i")"
	"$programs/twothreads" $((4 + i)) | cmp - "$tmp/out.$i" || fail "wrong output of one of four"
done
expect_freed "all of them"
same_descriptors() { [ "$(rack_descriptors)" = "$descriptors" ]; }
wait_for 2 same_descriptors || fail "descriptors of the components: $descriptors, now $(rack_descriptors)"
passed
