#!/bin/bash
# grep with many words to look for, a quarter of its footprint local, is as natively.
. "$(dirname "$0")/functions.sh"
"$top/scripts/run/inputs.sh" 3000000 "$tmp/lines" || fail "no input"
tr -cs 'A-Za-z0-9_' '\n' <"$tmp/lines" | grep -E '^.{5,}' | sort -u | awk 'NR % 2' | head -n 60000 >"$tmp/words"
squeeze grep -c -F -f "$tmp/words" "$tmp/lines"
passed
