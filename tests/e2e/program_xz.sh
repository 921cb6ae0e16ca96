#!/bin/bash
# xz, a quarter of its footprint local, is as natively; and back.
# also: 6.1
. "$(dirname "$0")/functions.sh"
"$top/scripts/run/inputs.sh" 1500000 "$tmp/some" || fail "no input"
squeeze xz -T1 -1 --lzma2=preset=1,dict=16MiB -c "$tmp/some"
cp "$tmp/native.out" "$tmp/packed.xz"
same_as_native 1M xz -dc "$tmp/packed.xz"
passed
