#!/bin/bash
# The counters of --stats hold what processes counted that were killed, on a private rack and on one that stands.
. "$(dirname "$0")/functions.sh"
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
# A program that the node daemon starts: its counters come by the daemon
rack_start 64M 2
run ashlar run --rack "$rack" --excache 2M --stats "$tmp/json" -- "$python" pages.py
expect_status 137
[ "$(stat_of "$tmp/json" excache.evictions)" -gt 1000 ] || fail "on a standing rack: $(cat "$tmp/json")"
[ "$(stat_of "$tmp/json" detail.processes)" = 2 ] || fail "on a standing rack: $(cat "$tmp/json")"
passed
