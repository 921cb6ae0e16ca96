#!/bin/bash
# The README's one command for a VM rack (make run-vm): sort, python3 and sqlite3 with a quarter of their memory local, output
# as natively; nothing is left of the rack.
# timeout: 900
# only: test-vm
. "$(dirname "$0")/functions.sh"
B=$build "$top"/scripts/run/vm-job.sh >"$tmp/out" 2>&1 || fail "$(cat "$tmp/out")"
tail -n 4 "$tmp/out"
[ "$(grep -c ' same$' "$tmp/out")" = 3 ] || fail "$(cat "$tmp/out")"
[ ! -e "$ASHLAR_RUN" ] || fail "the rack leaves $(find "$ASHLAR_RUN")"
passed
