#!/bin/bash
# Unknown calls answer ENOSYS, and are counted.
. "$(dirname "$0")/functions.sh"
same_as_native 1M "$programs/unknown"
n=$(stat_of "$tmp/stats" detail.unknown_calls)
echo "$n unknown calls counted"
[ "$n" -ge 1003 ] || fail "not counted"
passed
