#!/bin/bash
# Programs of a standing rack are started by the node daemon: their arguments, environment, folder, umask, limits and
# signals are as natively, and their stdin, stdout and stderr too.
# timeout: 120
# also: asan
. "$(dirname "$0")/functions.sh"
rack_start 256M 2
same() { # stdin as $input
	local native_status=0 rack_status=0
	"$@" <"$input" >"$tmp/native.out" 2>"$tmp/native.err" || native_status=$?
	ashlar run --rack "$rack" -- "$@" <"$input" >"$tmp/rack.out" 2>"$tmp/rack.err" || rack_status=$?
	compare_with_native "${1##*/} ${*:2:2}" "$native_status" "$rack_status"
}

# ---- what it is told (the hard limit of open files apart: docs/dispatcher.md, Limits) ----
export ODD=$'a b\nc' EMPTY= LONG
LONG=$(head -c 100000 /dev/zero | tr '\0' x)
mkdir "a folder"
tell='import os, sys, signal, resource
e = dict(os.environ); e.pop("ASHLAR_TEST_MARK", 0); e.pop("_", 0)
print(sys.argv, os.getcwd(), sorted(e.items()))
print(os.getuid(), os.getgid(), sorted(os.getgroups()))
print([signal.getsignal(s) == signal.SIG_IGN for s in (1, 2, 15, 10)], signal.pthread_sigmask(0, []))
print([resource.getrlimit(i) for i in (resource.RLIMIT_STACK, resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)], resource.getrlimit(resource.RLIMIT_NOFILE)[0])
old = os.umask(0); print(oct(old)); sys.stderr.write("to stderr\\n"); sys.exit(41)'
cd "a folder" || exit 1
(
	umask 027
	trap '' USR1
	ulimit -S -c 4096 -s 4096 -n 700
	same "$python" -c "$tell" "" "two words" $'\t' '*'
) || exit 1
cd ..
run ashlar run --rack "$rack" -- /nonexistent/program
expect_status 127
expect_one_line 'No such file'
run ashlar run --rack "$rack" -- /etc/passwd
expect_status 126
many=$(seq 20000)
# shellcheck disable=SC2086 # words are meant
same /usr/bin/printf '%s.' $many
input=/etc/passwd
same /usr/bin/sort
same "$python" -c 'import os; os.close(0); os.close(1); os.write(2, b"only this\\n")'
input=/dev/null
same /usr/bin/cat

# ---- a hundred megabytes each way, in order ----
"$python" -c 'import sys, random
r = random.Random(3)
for _ in range(100): sys.stdout.buffer.write(r.randbytes(1 << 20))' >big
ashlar run --rack "$rack" -- /usr/bin/cat <big | cmp - big || fail "100 MB through cat, from a file"
# shellcheck disable=SC2002 # a pipe is meant
cat big | ashlar run --rack "$rack" -- /usr/bin/cat >copy && cmp copy big || fail "100 MB through cat, to a file"
ashlar run --rack "$rack" -- "$python" -c 'import sys
for i in range(20000): print("out", i); print("err", i, file=sys.stderr)' >out 2>err
seq 0 19999 | sed 's/^/out /' | cmp - out || fail "order of stdout"
seq 0 19999 | sed 's/^/err /' | cmp - err || fail "order of stderr"

# ---- readers and writers that go ----
ashlar run --rack "$rack" -- /usr/bin/yes | head -n 1 >"$tmp/out"
[ "${PIPESTATUS[*]}" = "141 0" ] || fail "its reader went: ${PIPESTATUS[*]}"
yes | ashlar run --rack "$rack" -- /usr/bin/head -n 1 >"$tmp/out"
[ "${PIPESTATUS[*]}" = "141 0" ] || fail "it reads no more: ${PIPESTATUS[*]}"
yes | ashlar run --rack "$rack" -- "$python" -c 'import os, time; os.close(0); time.sleep(0.5); print("on")' >"$tmp/out"
[ "${PIPESTATUS[0]}" = 141 ] || fail "it has closed its stdin: ${PIPESTATUS[*]}"

# ---- a command that does not read holds nobody up ----
start run --rack "$rack" -- /usr/bin/yes
flood=$command
wait_for 10 program_running "$flood" || fail "it does not start"
kill -STOP "$flood"
run ashlar run --rack "$rack" -- /usr/bin/echo meanwhile
expect_status 0
grep -q meanwhile "$tmp/out" || fail "no output while another floods"
kill -CONT "$flood"
kill -TERM "$flood"
wait_status "$flood"
expect_status 143

# ---- signals ----
start run --rack "$rack" -- "$python" -c 'import signal, sys, time
def got(n, f): print("got", n, flush=True); n == 15 and sys.exit(3)
for s in (1, 2, 3, 10, 12, 15): signal.signal(s, got)
print("ready", flush=True)
while True: time.sleep(1)'
wait_for 20 has_line "$tmp/out" ready || fail "it does not start"
for s in HUP INT QUIT USR1 USR2 TERM; do
	kill -$s "$command"
	n=$(kill -l $s)
	wait_for 5 has_line "$tmp/out" "^got $n\$" || fail "no SIG$s"
done
wait_status "$command"
expect_status 3
start run --rack "$rack" -- /usr/bin/sleep 100
wait_for 10 program_running "$command" || fail "it does not start"
kill -SEGV "$program"
wait_status "$command"
expect_status 139
# stopped by its shell: it stops too
start run --rack "$rack" -- /usr/bin/sleep 100
wait_for 10 program_running "$command" || fail "it does not start"
kill -TSTP "$command"
wait_for 5 in_state "$program" T || fail "it does not stop"
wait_for 5 in_state "$command" T || fail "the command does not stop"
kill -CONT "$command"
wait_for 5 in_state "$program" S || fail "it does not go on"
kill -KILL "$command"
wait_for 2 ended "$program" || fail "it does not end with its command"
wait "$command" 2>/dev/null
expect_freed "all"
passed
