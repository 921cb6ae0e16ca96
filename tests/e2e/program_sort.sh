#!/bin/bash
# sort with a fixed buffer and temporary files, a quarter of its footprint local, is as natively.
# also: 6.1
. "$(dirname "$0")/functions.sh"
"$top/scripts/run/inputs.sh" 30000000 "$tmp/lines" || fail "no input"
squeeze sort --parallel=1 -S 18M -T "$TMPDIR" "$tmp/lines"
passed
