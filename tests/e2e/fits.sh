#!/bin/bash
# A program that fits its budget causes no fault of ours: memory is never registered, no miss, no transfer.
. "$(dirname "$0")/functions.sh"
for excache in 256M 2G; do
	same_as_native $excache "$programs/twothreads" 16
	same_as_native $excache "$python" -c 'print(len({i: str(i) for i in range(100000)}))'
	for name in excache.misses excache.zero_fills excache.evictions excache.writebacks detail.registered \
		detail.wp_faults fabric.reads fabric.writes memory.remote_peak_bytes; do
		[ "$(stat_of "$tmp/stats" $name)" = 0 ] || fail "$name is $(stat_of "$tmp/stats" $name)"
	done
done
passed
