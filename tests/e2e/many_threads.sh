#!/bin/bash
# Four hundred threads at once over remote memory, a quarter of it local; then a thousand with a megabyte.
# also: asan 6.1
. "$(dirname "$0")/functions.sh"
squeeze "$programs/crowd" 400 64
same_as_native 1M "$programs/crowd" 1000 4
[ "$(stat_of "$tmp/stats" detail.threads_peak)" -gt 1000 ] || fail "not a thousand threads at once"
passed
