#!/bin/bash
# How long it takes from the command to the program's first instruction; printed, not judged.
. "$(dirname "$0")/functions.sh"
for i in $(seq 20); do
	ashlar run --stats "$tmp/stats.$i" -- true || fail "true fails"
done
"$python" - "$tmp"/stats.* <<'END'
import json, sys
t = sorted(json.load(open(f))["detail"]["start_ns"] / 1e6 for f in sys.argv[1:])
print("start to the first instruction: median %.1f ms (%.1f .. %.1f), %d starts" % (t[len(t) // 2], t[0], t[-1], len(t)))
END
passed
