#!/bin/bash
# zstd, with a thread or two of its own, a quarter of its footprint local, is as natively; and back.
. "$(dirname "$0")/functions.sh"
"$top/scripts/run/inputs.sh" 500000 "$tmp/some" || fail "no input"
input=$tmp/some
squeeze zstd --single-thread -12 -q -c
input=/dev/null
"$top/scripts/run/inputs.sh" 20000000 "$tmp/more" || fail "no input"
zstd -q --ultra -22 --long=24 -T1 -c "$tmp/some" "$tmp/some" "$tmp/some" >"$tmp/packed"
same_as_native 1M zstd -q -d --long=24 -c "$tmp/packed"
squeeze zstd -T2 -4 -q -c "$tmp/more"
passed
