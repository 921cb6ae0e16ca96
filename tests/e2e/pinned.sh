#!/bin/bash
# Locked memory causes no miss and is never evicted; more than the budget has room for is refused.
. "$(dirname "$0")/functions.sh"
said() { # expected, program..
	local expected=$1
	shift
	run ashlar run --excache 1M --stats "$tmp/stats" -- "$@"
	expect_status 0
	[ "$(tail -n 1 "$tmp/out")" = "$expected" ] || fail "$*: $(cat "$tmp/out"), not $expected"
}
for rounds in 1 1000; do
	said 'locked: ok' "$programs/pinned" lock 256 $rounds
	echo "$rounds rounds: $(stat_of "$tmp/stats" excache.misses) misses"
	[ "$rounds" != 1 ] || few=$(stat_of "$tmp/stats" excache.misses)
done
[ "$(stat_of "$tmp/stats" excache.misses)" -le $((few + 20)) ] || fail "locked memory misses"
said 'locked: ENOMEM' "$programs/pinned" lock 900 1
# Shared memory takes its room from the rest
said 'mapped: ok' "$programs/pinned" share 512 400
[ "$(stat_of "$tmp/stats" excache.resident_peak_bytes)" -le $(((1 << 20) + (512 << 10))) ] || fail "over its budget"
said 'mapped: ok' "$programs/pinned" share 65536 1 # more than can be charged
run ashlar run --excache 64M -- "$programs/pinned" lock 6144 1 # within what ordinary users may lock
expect_status 0
has_line "$tmp/out" 'locked: ok' || fail "$(cat "$tmp/out")"
passed
