#!/bin/bash
# A remote miss as a program sees it, over (bare one-sided read + bare SIGBUS fault with COPY), pair by pair. 64 MB are
# read at random through an ExCache of 16 MB; every word is checked, on both sides.
. "$(dirname "$0")/functions.sh"
for ((i = 0; i < pairs; i++)); do
	"$bench/miss_bare" 1 | sed 's/ (.*) / /; s/, .*//'
	"$bin/ashlar" run --excache 16M --stats "$tmp/stats" -- "$programs/touch" 16384 20000 read random 1 "$i" >"$tmp/out" ||
		die "touch fails: $(cat "$tmp/out")"
	[ "$(word_of "$tmp/out" wrong wrong)" = 0 ] || die "wrong words"
	echo "miss p50: $(word_of "$tmp/out" far p50) ns"
	echo "miss p99: $(word_of "$tmp/out" far p99) ns"
	echo "miss as the dispatcher counts it, p50: $(stat_of "$tmp/stats" excache.miss_ns.p50) ns"
	echo "CPU time of the whole run per miss: $(($(stat_of "$tmp/stats" process.cpu_ns) / $(stat_of "$tmp/stats" excache.misses))) ns"
done | summary "miss p50 / bare = miss p50 / bare read + bare fault" "miss p50 / bare whole = miss p50 / bare whole" \
	"miss p99 / p50 = miss p99 / miss p50" "bare whole p99 / p50 = bare whole p99 / bare whole" \
	"bare read p99 / p50 = bare read p99 / bare read"
