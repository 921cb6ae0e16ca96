#!/bin/bash
# Timers that fire all the time, while two threads and the handlers miss.
# also: ofi
. "$(dirname "$0")/functions.sh"
same_as_native 1M "$programs/storm" 6 1500
misses=$(stat_of "$tmp/stats" excache.misses)
echo "$misses misses"
[ "$misses" -gt 1500 ] || fail "only $misses misses"
same_as_native 3M "$programs/storm" 6 1500
same_as_native 1G "$programs/storm" 6 1500
passed
