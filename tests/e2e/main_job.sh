#!/bin/bash
# `make run`'s main job, small: it succeeds and prints its table; Ctrl-C stops it and leaves nothing.
# timeout: 200
. "$(dirname "$0")/functions.sh"
job() { env ASHLAR_TEST_MARK="$mark" B="$build" MAIN_JOB_MB=40 MAIN_JOB_ONLY="$1" "$top/scripts/run/main-job.sh"; }
run job "sort"
expect_status 0
grep -qE '^sort +1/2 .* same$' "$tmp/out" && grep -qE '^sort +1/4 .* same$' "$tmp/out" || fail "no table: $(cat "$tmp/out")"
misses=$(awk '$1 == "sort" && $2 == "1/4" { print $8 }' "$tmp/out")
[ "$misses" -gt 10000 ] || fail "misses in the table: $misses"
same_files || fail "temporary files are left"
cat >"$tmp/job" <<END
export ASHLAR_TEST_MARK=$mark B=$build MAIN_JOB_MB=40 TMPDIR=$TMPDIR
exec $top/scripts/run/main-job.sh
END
tmp=$tmp terminal <<'END' || fail "Ctrl-C does not stop it"
type bash $tmp/job; echo status $?
expect on the rack, 1/2 local
key C-c
expect status 130
type bash $tmp/job; echo status $?
expect natively
key C-c
expect status 130
END
same_files || fail "temporary files are left: $(our_files)"
passed
