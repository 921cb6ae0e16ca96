#!/bin/sh
# Rule: a test that does more in make soak says how long that may take, else run.sh kills it amidst its work.
cd "$(dirname "$0")/../.." || exit 1
bad=0
for f in $(grep -ls 'ASHLAR_SOAK' tests/e2e/*.sh tests/vm/*.sh tests/sim/*.sh); do
	sed -n 1,40p "$f" | grep -qE '^# timeout: [0-9]+, soak [0-9]+$' && continue
	echo "$f does more with ASHLAR_SOAK: its head shall say \"# timeout: SECONDS, soak SECONDS\""
	bad=1
done
exit "$bad"
