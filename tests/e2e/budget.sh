#!/bin/bash
# The budget holds, whatever memory a program takes: heap, mappings, stacks of threads, files, code.
. "$(dirname "$0")/functions.sh"
# Shared memory is charged when it is looked at, after it was touched: by so much may be counted over the budget
shared=0
within() { # budget in MB, program..
	local budget=$(($1 << 20)) limit peak own bound
	shift
	limit=$((budget + budget / 20 + (1 << 20)))
	ASHLAR_TEST_MARK=$mark "$programs/memwatch" -r -i 2 -l "$limit" -o "$tmp/watch" "$bin/ashlar" run --excache "$budget" \
		--stats "$tmp/stats" -- "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || fail "$* fails: $(cat "$tmp/err")"
	peak=$(seen_of "$tmp/watch" program_peak)
	own=$(seen_of "$tmp/watch" own_peak)
	bound=$(stat_of "$tmp/stats" detail.local_bytes_max)
	echo "${*##*/}: budget $budget, peak $peak, dispatcher $own of $bound, $(seen_of "$tmp/watch" samples) samples," \
		"$(stat_of "$tmp/stats" excache.evictions) evictions"
	[ "$peak" -le "$limit" ] || {
		awk '/^[0-9a-f]+-/ { map = $0 } /^Anonymous:/ && $2 >= 256 { print $2, map }' "$tmp/watch.over" >&2
		fail "over its budget"
	}
	[ "$own" -le "$bound" ] || fail "the dispatcher takes more than it states"
	[ "$(stat_of "$tmp/stats" excache.resident_peak_bytes)" -le $((budget + shared)) ] || fail "counts more resident than its budget"
}
for mb in 1 2 8; do
	within $mb "$programs/walker" 24 4
	within $mb "$programs/hog" 24 brk
	within $mb "$programs/hog" 24 malloc
	within $mb "$programs/twothreads" 16
	within $mb "$programs/threads"
	within $mb "$programs/storm" 12 300
done
shared=$((64 * 4096))
within 2 "$programs/mappings"
shared=0
within 2 "$programs/hostthings"
within 4 "$python" -c 'import json, decimal, email, http.client, sqlite3, ssl; print(len(json.dumps(list(range(200000)))))'
within 4 "$programs/touch" 8192 20000 write random 4
passed
