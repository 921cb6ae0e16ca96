#!/bin/bash
# kill -9 of the storage component under a tree of processes: they wait, and go on with the files that they share. What they
# write by one offset is there once, each line; what was forked or became another program meanwhile has its files.
# timeout: 120
. "$(dirname "$0")/functions.sh"
rack_noise=yes
rack_start 64M 2

cat >"$tmp/work/tree.py" <<'END'
import os, subprocess, time
log = os.open("log", os.O_RDWR | os.O_CREAT)
pids = []
for who in range(3):
    pid = os.fork()
    if not pid:
        for i in range(400):
            os.write(log, b"%d %03d %s\n" % (who, i, b"x" * 40))
            if i % 40 == 0:
                subprocess.run(["/bin/sh", "-c", "echo s %d %03d >&%d" % (who, i, log)], pass_fds=[log], check=True)
            time.sleep(0.005)
        os._exit(0)
    pids.append(pid)
print("go", flush=True)
for p in pids: assert os.waitpid(p, 0)[1] == 0
print("end")
END

start run --rack "$rack" --excache 16M -- "$python" tree.py
wait_for 20 has_line "$tmp/out" go || fail "no start: $(cat "$tmp/err")"
for round in 1 2; do
	sleep 0.7 # the end comes at any point of their work
	kill -KILL "$storage"
	wait_for 2 ended "$storage"
	sleep 0.3 # and lasts
	rack_storage
done
wait_status "$command" 60
expect_status 0
[ "$(cat "$tmp/out")" = $'go\nend' ] || fail "said: $(cat "$tmp/out")"
grep -c ' is gone ' "$tmp/err" >/dev/null || fail "nobody missed it"
grep -v 'storage component s0 is' "$tmp/err" && fail "more words than expected"
[ "$(sort -u log | wc -l)" -eq 1230 ] || fail "$(sort -u log | wc -l) lines are in the log, not 1230"
[ "$(wc -l <log)" -le 1240 ] || fail "lines are there again and again: $(wc -l <log)"
grep -avE '^([0-2] [0-9]{3} x{40}|s [0-2] [0-9]{3})$' log && fail "torn lines"
expect_freed "a tree that met two ends of its storage"
passed
