#!/bin/bash
# kill -9 of the storage component: calls on files wait, and go on when it is started anew; what was written and synced is
# there, open files and their offsets and locks live on. Interrupted while they wait, programs end. With a limit: EIO.
# also: asan
# timeout: 120
. "$(dirname "$0")/functions.sh"
rack_noise=yes
rack_start 64M 2

cat >"$tmp/work/writer.py" <<'END'
import fcntl, os, sys
log = open("log", "ab+", buffering=0)
data = open("data", "w+b", buffering=0)
fcntl.flock(data, fcntl.LOCK_EX)
open("a", "w").close()
names = os.open(".", os.O_DIRECTORY)
for i in range(3000):
    block = bytes([i % 251]) * 4096
    data.write(block)
    os.fsync(data.fileno())
    log.write(b"%d\n" % i)
    if i % 10 == 0:
        os.rename("a", "b"); os.rename("b", "a")
        assert "data" in os.listdir(names)
        print(i, flush=True)
assert data.tell() == 3000 * 4096, data.tell()
data.seek(0)
for i in range(3000):
    assert data.read(4096) == bytes([i % 251]) * 4096, i
print("end")
END
other() { # does another get the lock?
	"$python" -c 'import fcntl; fcntl.flock(open("data"), fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null
}

start run --rack "$rack" --excache 4M -- "$python" writer.py
for round in 1 2 3; do
	n=$(wc -l <"$tmp/out")
	wait_for 30 lines_more_than "$tmp/out" $((n + 5)) || fail "the program does not go on: $(cat "$tmp/err")"
	kill -KILL "$storage"
	wait_for 2 ended "$storage"
	wait_for 5 has_line "$tmp/err" 'is gone .*: calls on its files wait' || fail "no word of it"
	sleep 0.5 # it is away for a while
	rack_storage
	wait_for 20 eval '[ "$(grep -c "is back after" "$tmp/err")" = '$round' ]' || fail "does not come back: $(cat "$tmp/err")"
	! other || fail "the lock is lost, after line $(wc -l <"$tmp/out"): $(cat "$tmp/err")"
done
wait_status "$command" 60
expect_status 0
has_line "$tmp/out" '^end$' || fail "no end"
[ "$(stat -c %s data)" -eq $((3000 * 4096)) ] || fail "data is short"
# An append whose answer was lost may be there twice, none may be missing
[ "$(uniq log | sort -n | uniq | wc -l)" -eq 3000 ] || fail "lines of the log are missing"
[ "$(wc -l <log)" -le 3003 ] || fail "lines of the log are there again and again"
grep -v 'storage component s0 is' "$tmp/err" && fail "more words than expected"
expect_freed "a program that met three ends of its storage"

# A file without a name is lost with the component, and only that one
mkfifo "$tmp/go"
exec 8<>"$tmp/go"
input=$tmp/go
start run --rack "$rack" -- "$python" -c '
import os, sys
f = open("nameless", "w+b", buffering=0); os.unlink("nameless")
g = open("named", "w+b", buffering=0)
print("go", flush=True); sys.stdin.readline()
g.write(b"x")
try:
    f.write(b"x"); print("written")
except OSError as e:
    print(e.errno)
'
input=/dev/null
wait_for 10 has_line "$tmp/out" go
kill -KILL "$storage"
wait_for 2 ended "$storage"
rack_storage
echo >&8
exec 8>&-
wait_status "$command" 30
expect_status 0
[ "$(tail -n 1 "$tmp/out")" = 5 ] || fail "not EIO: $(cat "$tmp/out")"
has_line "$tmp/err" 'nameless is lost' || fail "not named: $(cat "$tmp/err")"

# Who has locks and makes no calls has them again as well, before others come
exec 8<>"$tmp/go"
input=$tmp/go
start run --rack "$rack" -- "$python" -c '
import fcntl, sys
f = open("data"); fcntl.flock(f, fcntl.LOCK_EX)
g = open("named", "r+b"); fcntl.lockf(g, fcntl.LOCK_EX)
print("go", flush=True); sys.stdin.readline()
'
input=/dev/null
wait_for 10 has_line "$tmp/out" go
kill -KILL "$storage"
wait_for 2 ended "$storage"
rack_storage
wait_for 10 has_line "$tmp/err" 'the locks on its files are taken again' || fail "the locks are not taken again"
! other || fail "the flock of an idle program is lost"
ASHLAR_TEST_MARK=$mark "$bin/ashlar" run --rack "$rack" -- "$python" -c '
import fcntl
try:
    fcntl.lockf(open("named", "r+b"), fcntl.LOCK_EX | fcntl.LOCK_NB); print("got it")
except BlockingIOError:
    print("taken")' >"$tmp/taken" 2>&1
has_line "$tmp/taken" '^taken$' || fail "the record lock of an idle program is lost: $(cat "$tmp/taken")"
echo >&8
exec 8>&-
wait_status "$command" 30
expect_status 0

# Interrupted while it waits; and with a limit
start run --rack "$rack" -- "$python" -c '
import os, time
f = open("data", "rb", buffering=0)
print("go", flush=True)
while True:
    os.pread(f.fileno(), 4096, 0); time.sleep(0.01)'
wait_for 10 has_line "$tmp/out" go
kill -KILL "$storage"
wait_for 5 has_line "$tmp/err" 'calls on its files wait' || fail "no word of it"
kill -TERM "$(program_of "$command")"
wait_status "$command" 5
expect_status 143
rack_storage
wait_for 10 has_line "$tmp/ready.$storage" ready
start run --rack "$rack" --storage-wait 1 -- "$python" -c '
import os, time
f = open("data", "rb", buffering=0)
print("go", flush=True)
try:
    while True:
        os.pread(f.fileno(), 4096, 0); time.sleep(0.01)
except OSError as e:
    print(e.errno)'
wait_for 10 has_line "$tmp/out" go
sleep 2 # python itself is read in whole once it has gone on for a second: it can tell of the error
kill -KILL "$storage"
wait_status "$command" 10
expect_status 0
[ "$(tail -n 1 "$tmp/out")" = 5 ] || fail "not EIO: $(cat "$tmp/out")"
has_line "$tmp/err" 'not back after 1 s' || fail "not named: $(cat "$tmp/err")"
passed
