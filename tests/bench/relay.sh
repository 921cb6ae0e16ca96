#!/bin/bash
# What the way through the node daemon's relay costs: a remote miss and the start of a program on local, on local by the
# relay, and on ofi:tcp (which goes by the relay too), turn by turn. 64 MB are read at random through an ExCache of 16 MB.
. "$(dirname "$0")/functions.sh"
for ((i = 0; i < pairs; i++)); do
	"$bench/miss_bare" 1 | sed 's/ (.*) / /; s/, .*//'
	for fabric in local relay:local ofi:tcp; do
		t=$EPOCHREALTIME
		"$bin/ashlar" run --fabric "$fabric" --excache 16M --stats "$tmp/stats" -- \
			"$programs/touch" 16384 20000 read random 1 "$i" >"$tmp/out" || die "touch fails: $(cat "$tmp/out")"
		u=$EPOCHREALTIME
		[ "$(word_of "$tmp/out" wrong wrong)" = 0 ] || die "wrong words"
		misses=$(stat_of "$tmp/stats" excache.misses)
		echo "miss on $fabric, p50: $(stat_of "$tmp/stats" excache.miss_ns.p50) ns"
		echo "miss on $fabric, p99: $(stat_of "$tmp/stats" excache.miss_ns.p99) ns"
		echo "misses on $fabric: $((misses * 1000000 / (${u/./} - ${t/./}))) /s"
		"$bin/ashlar" run --fabric "$fabric" --stats "$tmp/stats" -- /bin/true || die "true fails"
		echo "command to first instruction on $fabric: $(($(stat_of "$tmp/stats" detail.start_ns) / 1000)) us"
		echo "of it the dispatcher on $fabric: $(($(stat_of "$tmp/stats" detail.dispatcher_start_ns) / 1000)) us"
	done
done | summary "relay / local = miss on relay:local, p50 / miss on local, p50" \
	"ofi / bare = miss on ofi:tcp, p50 / bare read + bare fault"
