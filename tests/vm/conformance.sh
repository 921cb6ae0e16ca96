#!/bin/bash
# What is true of every fabric is true of verbs: the conformance tests of net.h, those of the rack's key, and hostile peers on
# a device, inside a machine of a VM rack; then monitors of that rack are met by a stranger, refuse him, and count it. And
# scripts/rdma_report.sh runs here as it would on machines with RDMA devices.
# timeout: 600
. "$(dirname "$0")/functions.sh"
vm_up
B=$build "$top/scripts/rdma_report.sh" --via "$bin/ashlar vm exec" --skip bench --skip programs --out "$tmp/report" p0 m0 2>"$tmp/log" ||
	fail "$(cat "$tmp/log" "$tmp/report")"
[ "$(grep -c '| ok, [1-9]' "$tmp/report")" = 12 ] || fail "$(cat "$tmp/report")"

vm_put m1 "$build/tests/verbs/forged"
before=$(vm_row m0 refused)
for peer in "$(vm_row m0 address) memory" "verbs:10.77.0.1:7000 gmm"; do
	# shellcheck disable=SC2086 # two words
	run ashlar vm exec m1 /tmp/forged $peer
	expect_status 0
	[ "$(cat "$tmp/out")" = refused ] || fail "$peer: $(cat "$tmp/out" "$tmp/err")"
done
more() { [ "$(vm_row m0 refused)" -ge $((before + 10)) ]; }
wait_for 10 more || fail "m0 counts $(vm_row m0 refused) refusals, $before before"
run ashlar vm run -- echo served
expect_status 0
vm_down
passed
