#!/bin/bash
# A small script that makes processes, again and again, and fifty of them at once: all outputs are right, and nothing adds
# up. TREE_RUNS: how many in a row (20; make soak: 200). On ofi:tcp twenty at once: there a transfer waits until the peer's
# thread runs, and the storage component with it, which would be late for the gmm.
# also: ofi
# timeout: 900, soak 1800
. "$(dirname "$0")/functions.sh"
runs=${TREE_RUNS:-20}
at_once=50
[ "$ASHLAR_FABRIC" = local ] || at_once=20
[ -z "${ASHLAR_SOAK:-}" ] || runs=${TREE_RUNS:-200}
rack_start 128M 2
cat >script.sh <<'END'
n=$1
for i in 1 2 3; do echo "$i $n"; done | sort -r | { read -r first; echo "$first"; cat >/dev/null; }
x=$(expr "$n" + 1)
(exit 3) || echo "status $?"
trap 'echo bye' EXIT
cat <<EOF
$x $(echo "$x" | wc -c)
EOF
sleep 0.05 &
wait $!
echo "waited $?"
END
right() { # number, file
	printf '3 %d\nstatus 3\n%d %d\nwaited 0\nbye\n' "$1" $(($1 + 1)) $((${#1} + 1)) | cmp -s - "$2"
}
run ashlar run --rack "$rack" --excache 4M -- sh script.sh 1
right 1 "$tmp/out" || { show "$tmp/out" "$tmp/err"; fail "a first one"; }
expect_freed "a first one"
descriptors=$(rack_descriptors)
for ((i = 1; i <= runs; i++)); do
	run ashlar run --rack "$rack" --excache 4M -- sh script.sh 5
	expect_status 0
	right 5 "$tmp/out" && [ ! -s "$tmp/err" ] || { show "$tmp/out" "$tmp/err"; fail "run $i"; }
done
expect_freed "$runs in a row"
pids=()
for ((i = 0; i < at_once; i++)); do
	ASHLAR_TEST_MARK=$mark "$bin/ashlar" run --rack "$rack" -- sh script.sh 7 >"out.$i" 2>"err.$i" </dev/null &
	pids+=($!)
done
bad=
for i in "${!pids[@]}"; do
	wait "${pids[i]}" || { echo "script $i: exit status $?" >&2; bad=1; }
	right 7 "out.$i" && [ ! -s "err.$i" ] || { show "out.$i" "err.$i"; bad=1; }
done
[ -z "$bad" ] || fail "$at_once at once"
expect_freed "$at_once at once"
same_descriptors() { [ "$(rack_descriptors)" = "$descriptors" ]; }
wait_for 4 same_descriptors || fail "descriptors of the components: $descriptors, now $(rack_descriptors)"
passed
