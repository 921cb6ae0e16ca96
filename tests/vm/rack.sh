#!/bin/bash
# A VM rack comes up, shows what it is, runs commands and programs as if they were here, reports a machine that ends, takes
# one that is started anew back in, and leaves nothing when it is down.
# timeout: 600
. "$(dirname "$0")/functions.sh"

for words in '' 'nonsense' 'up word' 'up --mem 1' 'up --memories 0' 'up --fabric local' 'up --emulate x=1' 'up --root /nonesuch' \
	'up --name a/b' 'run' 'exec' 'exec p0' 'link p0' 'status --follow' 'kill'; do
	# shellcheck disable=SC2086 # words
	run ashlar vm $words
	expect_status 125
	expect_one_line '^ashlar: '
done
for words in 'status' 'run true' 'exec p0 true' 'console p0' 'kill p0'; do
	# shellcheck disable=SC2086
	run ashlar vm $words
	expect_status 125
	expect_one_line 'is not up'
done
run ashlar vm down
expect_status 0

mkdir "$tmp/of-user"
chmod 755 "$tmp" "$tmp/work" # also other users are here, below
vm_up
grep -qE '(KVM|TCG)' "$tmp/out" || fail "how the machines are run is not said"
seconds=$(sed -n 's/.*is up after \([0-9]*\).*/\1/p' "$tmp/out")
[ "$seconds" -lt 90 ] || fail "up after $seconds s"
[ "$(stat -c %a "$ASHLAR_RUN"/vm-*)" = 700 ] || fail "others may look into the rack's folder"
run ashlar vm up
expect_status 0
grep -q 'up already' "$tmp/out" || fail "up again: $(cat "$tmp/out")"
run ashlar vm up --memories 3
expect_status 125
run ashlar vm status
expect_status 0
[ "$(grep -c running "$tmp/out")" = 5 ] || fail "status: $(cat "$tmp/out")"
run ashlar vm console m0
expect_status 0
grep -q 'starting .*mcomponent' "$tmp/out" || fail "console: $(cat "$tmp/out")"

# Commands inside
run ashlar vm exec m0 cat /proc/1/comm
expect_status 0
[ "$(cat "$tmp/out")" = mcomponent ] || fail "process 1 of m0 is $(cat "$tmp/out")"
run ashlar vm exec m0 sh -c 'cat; echo err >&2; exit 3' <<<"in"
expect_status 3
[ "$(cat "$tmp/out" "$tmp/err")" = $'in\nerr' ] || fail "exec: $(cat "$tmp/out" "$tmp/err")"
run ashlar vm exec m0 sh -c 'kill -TERM $$'
expect_status 143
run ashlar vm exec m0 nonesuch
expect_status 127
run ashlar vm exec nobody true
expect_status 125
expect_one_line 'no node nobody'
head -c 3000000 /dev/urandom >"$tmp/random"
ashlar vm exec m0 cat <"$tmp/random" | cmp - "$tmp/random" || fail "3 MB through a session"
ashlar vm exec m0 sh -c 'yes | head -c 2000000; true' </dev/null | wc -c | grep -qx 2000000 || fail "2 MB out"
# A command that does not read leaves room for signals; without the command on this side it ends
yes | timeout -s INT 3 "$bin/ashlar" vm exec m0 sleep 77
[ "${PIPESTATUS[1]}" = 124 ] || fail "a command with unread stdin cannot be interrupted"
ASHLAR_TEST_MARK=$mark "$bin/ashlar" vm exec m0 sleep 78 &
sleeps() { ashlar vm exec m0 ps </dev/null | grep -q "sleep $1"; }
wait_for 10 sleeps 78 || fail "it does not begin"
kill -KILL $!
wait $! 2>/dev/null
no_sleep() { ! sleeps '7[78]'; }
wait_for 5 no_sleep || fail "what a session ran outlives it"
# Orphans are waited for by process 1
ashlar vm exec m0 sh -c '(sleep 0.2 & true) & exit 0' </dev/null
no_orphan() { [ "$(ashlar vm exec m0 sh -c "ps | grep -c '[s]leep 0.2'; cat /proc/[0-9]*/stat | grep -c ') Z '" </dev/null)" = $'0\n0' ]; }
wait_for 5 no_orphan || fail "zombies"

# Programs, as here
seq 1 30000 | sort -R --random-source=<(yes) >"$tmp/numbers"
vm_same 1M sort "$tmp/numbers"
vm_same 16M "$python" -c 'import os, sys; print(os.getcwd(),  1, sys.argv); sys.stderr.write("e\n"); sys.exit(5)' a b
input=$tmp/numbers
vm_same 4M md5sum
input=/dev/null
run ashlar vm run --excache 8M --stats "$tmp/stats" -- sort "$tmp/numbers"
expect_status 0
[ "$(stat_of "$tmp/stats" process.exit_status)" = 0 ] || fail "counters: $(cat "$tmp/stats")"
run ashlar vm run -- nonesuch
expect_status 127
start vm run -- sh -c 'echo on; exec sleep 60'
wait_for 60 has_line "$tmp/out" on || fail "it does not start: $(cat "$tmp/err")"
kill -TERM "$command"
wait_status "$command"
expect_status 143
# They are the user's, and so is what they write. Root can be another for a while
mine=$(id -u):$(id -g)
give() { chown -R "$1" "$ASHLAR_RUN" "$tmp/of-user"; }
user=$mine as=()
if [ "$(id -u)" = 0 ] && setpriv --reuid 4711 --regid 4712 --clear-groups test -x "$bin/ashlar"; then
	user=4711:4712
	as=(setpriv --euid 4711 --egid 4712 --clear-groups --) # still of root: it may see that the rack is there
fi
as_user() { ASHLAR_TEST_MARK=$mark "${as[@]}" "$bin/ashlar" vm run -- "$@"; }
give "$user"
run as_user "$python" -c 'import os, sys
os.umask(0o27)
f = open(sys.argv[1], "w+")
f.write("x")
f.seek(0)
s = os.stat(sys.argv[1])
print("%d:%d" % (os.getuid(), os.getgid()), "%d:%d:%o" % (s.st_uid, s.st_gid, s.st_mode), f.read())' "$tmp/of-user/file"
expect_status 0
[ "$(cat "$tmp/out")" = "$user $user:100640 x" ] || fail "as user $user: $(cat "$tmp/out" "$tmp/err")"
if [ "$user" != "$mine" ]; then
	run as_user cat /etc/shadow
	expect_status 1
	grep -q 'Permission denied' "$tmp/err" || fail "reads what is root's: $(cat "$tmp/err")"
	run as_user touch /etc/nonesuch
	expect_status 1
fi
give "$mine"
# The machines speak RDMA
packets() { ashlar vm exec "$1" cat /sys/class/infiniband/rxe0/ports/1/hw_counters/rcvd_pkts; }
[ "$(packets s0)" -gt 100 ] || fail "only $(packets s0) packets of rxe"

# A machine that ends; what programs wrote survives it
run ashlar vm run -- sh -c "echo kept >$tmp/written"
expect_status 0
[ ! -e "$tmp/written" ] || fail "the host's files were written"
run ashlar vm kill s0
expect_status 0
run ashlar vm status
expect_status 0
grep -q '^s0 .* ended' "$tmp/out" || fail "status: $(cat "$tmp/out")"
grep -q 'starting .*scomponent' "$tmp/err" || fail "no last lines of the machine: $(cat "$tmp/err")"
run ashlar vm restart s0
expect_status 0
run ashlar vm run -- cat "$tmp/written"
expect_status 0
[ "$(cat "$tmp/out")" = kept ] || fail "what was written is gone"
ashlar vm pause m1 || fail "pause"
vm_is m1 paused || fail "m1 is $(vm_state m1)"
ashlar vm resume m1 || fail "resume"
vm_is m1 running || fail "m1 is $(vm_state m1)"
ashlar vm link m1 down && ashlar vm link m1 up || fail "link"

# A monitor that ends takes its machine with it, and is started anew with all that has ended. A program that needs nothing
# of it is told, too
start vm run -- "$python" -c 'import time; print("ready", flush=True); time.sleep(60)'
wait_for 20 has_line "$tmp/out" ready || fail "it does not start: $(cat "$tmp/err")"
sleep 1
ashlar vm exec m1 kill -TERM 1
wait_for 4 has_line "$tmp/err" 'memory component m1 is gone' || fail "no word of m1's end: $(cat "$tmp/err")"
kill -TERM "$command"
wait_status "$command"
wait_for 10 vm_is m1 ended || fail "m1 is $(vm_state m1)"
run ashlar vm status
grep -q 'Kernel panic' "$tmp/err" || fail "no last lines: $(cat "$tmp/err")"
vm_up
vm_is m1 running || fail "m1 is $(vm_state m1)"

# A machine that ends under a program: it is told why
start vm run -- sh -c 'echo on; exec sleep 60'
wait_for 60 has_line "$tmp/out" on || fail "it does not start: $(cat "$tmp/err")"
ashlar vm kill p0
wait_status "$command"
expect_status 125
grep -q 'machine of p0 (processor) has ended' "$tmp/err" || fail "the end of p0: $(cat "$tmp/err")"
grep -q 'starting .*pcomponent' "$tmp/err" || fail "no last lines: $(cat "$tmp/err")"
vm_down
passed
