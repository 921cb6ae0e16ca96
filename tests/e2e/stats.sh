#!/bin/bash
# --stats writes JSON with the promised names, to a file or to stderr.
. "$(dirname "$0")/functions.sh"
check() {
	"$python" - "$1" <<'END'
import json, os, sys
names = {
    "process": ["exit_status", "wall_ns", "cpu_ns"],
    "excache": ["budget_bytes", "resident_peak_bytes", "misses", "zero_fills", "victim_hits", "prefetched",
                "prefetch_used", "evictions", "writebacks", "writeback_bytes", "miss_ns"],
    "memory": ["remote_peak_bytes", "components"],
    "fabric": ["provider", "reads", "read_bytes", "writes", "write_bytes", "messages"],
    "syscalls": [],
}
s = json.load(open(sys.argv[1]))
for group, keys in names.items():
    for k in keys:
        assert k in s[group], (group, k)
for k in ["p50", "p90", "p99", "max"]:
    assert s["excache"]["miss_ns"][k] > 0, k
e, f = s["excache"], s["fabric"]
m = e["miss_ns"]
assert m["p50"] <= m["p90"] <= m["p99"] <= m["max"], m
assert e["budget_bytes"] == 2 << 20
assert 1 << 20 < e["resident_peak_bytes"] <= 2 << 20, e
assert e["misses"] > 1000 and e["writebacks"] > 1000 and e["evictions"] > 1000, e
assert f["provider"] == os.environ["ASHLAR_FABRIC"] and f["reads"] >= e["misses"] and f["read_bytes"] >= 4096 * e["misses"], f
assert e["writeback_bytes"] >= 4096 * 1000 and f["write_bytes"] >= e["writeback_bytes"], (e, f)
assert s["memory"]["components"] == 2 and s["memory"]["remote_peak_bytes"] > 4 << 20, s["memory"]
assert s["process"]["exit_status"] == 0 and s["process"]["wall_ns"] > 0 and s["process"]["cpu_ns"] > 0
assert s["syscalls"]["write"]["count"] == 3 and s["syscalls"]["write"]["total_ns"] > 0, s["syscalls"]["write"]
END
}
run ashlar run --excache 2M --stats "$tmp/json" -- "$programs/walker" 8 3
expect_status 0
[ ! -s "$tmp/err" ] || fail "stderr: $(cat "$tmp/err")"
check "$tmp/json" || fail "$(cat "$tmp/json")"
run ashlar run --excache 2M --stats - -- "$programs/walker" 8 3
[ "$(cat "$tmp/out")" = "$(printf 'pass 1\npass 2\npass 3')" ] || fail "stdout: $(cat "$tmp/out")"
check "$tmp/err" || fail "$(cat "$tmp/err")"
# Counters of processes that were killed, at a time when they have told nothing: more of them than there are slots
cat >"$tmp/work/killed.py" <<'END'
import os, signal
for i in range(600):
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        for _ in range(10): os.sched_yield()
        os.write(w, b"x")
        signal.pause()
    os.close(w)
    os.read(r, 1)
    os.close(r)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
END
cat >"$tmp/work/pages.py" <<'END'
import os, signal
r, w = os.pipe()
pid = os.fork()
if not pid:
    pages = bytearray(8 << 20)
    for i in range(0, len(pages), 4096): pages[i] = 1
    os.write(w, b"x")
    signal.pause()
os.read(r, 1)
for p in pid, os.getpid(): os.kill(p, signal.SIGKILL)
END
run ashlar run --stats "$tmp/json" -- "$python" killed.py
expect_status 0
[ "$(stat_of "$tmp/json" syscalls.sched_yield.count)" = 6000 ] || fail "$(stat_of "$tmp/json" syscalls.sched_yield.count) calls"
[ "$(stat_of "$tmp/json" detail.processes)" = 601 ] || fail "$(stat_of "$tmp/json" detail.processes) processes"
run ashlar run --excache 2M --stats "$tmp/json" -- "$python" pages.py
expect_status 137
[ "$(stat_of "$tmp/json" excache.evictions)" -gt 1000 ] || fail "the faults of a killed child are not there"
run ashlar run --stats "$tmp/json" -- "$programs/ending" signal 9
expect_status 137
[ "$(stat_of "$tmp/json" process.exit_status)" = 137 ] || fail "exit status in $(cat "$tmp/json")"
passed
