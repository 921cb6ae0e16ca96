#!/bin/bash
# ASHLAR_KERNEL: 6.1 uses nothing that is newer, at the price of more calls for a dropped page; a wrong value is refused.
. "$(dirname "$0")/functions.sh"
unset ASHLAR_KERNEL
calls_of() { # counts of one run: pages evicted, calls that dropped them, calls that protected them
	same_as_native 4M "$programs/walker" 32 4 quiet
	evicted=$(stat_of "$tmp/stats" excache.evictions)
	drops=$(stat_of "$tmp/stats" detail.drop_calls)
	protects=$(stat_of "$tmp/stats" detail.protect_calls)
	echo "$1: $evicted pages evicted, $drops calls dropped them ($((1000 * drops / evicted)) for 1000)," \
		"$protects calls protected ($((1000 * protects / evicted)) for 1000)"
	[ "$evicted" -gt 10000 ] && [ "$drops" -gt 0 ] && [ "$protects" -gt 0 ] || fail "hardly an eviction"
}
calls_of newest
newest=$((1000 * drops / evicted)) vector=$(stat_of "$tmp/stats" detail.kernel_drop_vector)
export ASHLAR_KERNEL=6.1
calls_of 6.1
[ "$((1000 * drops / evicted))" -le 1000 ] || fail "more than a call for a page"
[ "$vector" = 0 ] || [ "$newest" -lt "$((1000 * drops / evicted))" ] || fail "the vector saved no call"
export ASHLAR_KERNEL=5.10
run timeout 20 "$bin/ashlar" run -- true
expect_status 125
expect_one_line '^ashlar: bad value of ASHLAR_KERNEL: 5.10 '
export ASHLAR_KERNEL=
same_as_native 1G true
passed
