#!/bin/bash
# Misses a second with steady eviction over those without, clean, dirty, and by two threads.
. "$(dirname "$0")/functions.sh"
measure() { # name, then arguments of refill
	"$bin/ashlar" run --excache 16M --stats "$tmp/stats" -- "$programs/refill" 32768 3000 "${@:2}" "$pairs" >"$tmp/out" ||
		die "refill fails: $(tail -n 2 "$tmp/out")"
	grep '^with' "$tmp/out" | sed "s/^/$1, /; s/: /: /" |
		summary "$1, misses a second with eviction over without = $1, without / $1, with"
	echo "$1: $(stat_of "$tmp/stats" excache.misses) misses, $(stat_of "$tmp/stats" excache.evictions) evictions," \
		"$(stat_of "$tmp/stats" excache.writebacks) write-backs"
}
measure clean read 1
measure dirty write 1
measure "two threads, clean" read 2
measure "two threads, dirty" write 2
