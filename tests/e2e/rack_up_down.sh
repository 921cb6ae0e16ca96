#!/bin/bash
# A standing rack comes up, is used by name and by file, is found to be up, and leaves nothing when it is down; a part
# that does not start takes the others down with it, and is named with the end of its log; so does an interrupted start.
# also: asan
. "$(dirname "$0")/functions.sh"
standing_rack
run ashlar rack status "$rack"
expect_status 125
expect_one_line 'cannot reach the gmm'
run ashlar rack down "$standing"
expect_status 0
grep -q 'not up' "$tmp/out" || fail "down, before it was up"

run ashlar rack up "$rack"
expect_status 0
grep -q 'is up$' "$tmp/out" || fail "$(cat "$tmp/out")"
[ "$(stat -c %a "$ASHLAR_RUN/$standing/gmm.log")" = 600 ] || fail "others may read the logs"
rack_is_up 4 || fail "not all are up"
for p in gmm p0 m0 m1 s0; do
	pid=$(part_pid $p)
	read -r _ _ _ _ _ session tty _ <<<"$(sed 's/(.*)/x/' "/proc/$pid/stat")"
	[ "$session" = "$pid" ] && [ "$tty" = 0 ] || fail "$p: session $session, terminal $tty"
	find "/proc/$pid/fd" -lname '/dev/pts/*' -o -lname '/dev/tty*' | grep . && fail "$p holds a terminal"
done
run ashlar rack up "$rack"
expect_status 0
grep -q 'up already' "$tmp/out" || fail "second up: $(cat "$tmp/out")"
run ashlar run --rack "$standing" --excache 2M -- "$programs/walker" 5 1
expect_status 0
ASHLAR_RACK=$standing run ashlar ps
expect_status 0
run ashlar rack logs
expect_status 0
run ashlar rack logs "$standing" nobody
expect_status 125
expect_one_line 'no log of nobody'

# Changed under a rack that is up; a second rack of another name beside it
cp "$rack" "$tmp/kept"
echo '# changed' >>"$rack"
run ashlar rack up "$rack"
expect_status 125
expect_one_line 'by another rack file'
cp "$tmp/kept" "$rack"
other=$tmp/$standing-b.rack
sed "s,$(rack_address gmm),$(rack_address gmm-b),; s,$(rack_address s0),$(rack_address s0-b)," "$rack" >"$other"
run ashlar rack up "$other"
expect_status 0
run ashlar rack status
expect_status 125
expect_one_line 'more than one'
run ashlar run --rack "$other" -- true
expect_status 0
run ashlar rack down "$other"
expect_status 0
run ashlar run --rack "$rack" -- true
expect_status 0

# Programs end with it
start run --rack "$rack" -- sleep 60
wait_for 10 program_running "$command" || fail "no program: $(cat "$tmp/err")"
run ashlar rack down "$rack"
expect_status 0
wait_status "$command"
[ ! -e "$ASHLAR_RUN" ] || fail "left: $(find "$ASHLAR_RUN")"
no_process || fail "processes are left: $(our_processes)"
run ashlar rack down "$rack"
expect_status 0

# After kill -9 of all of it, the command included, nothing but files is there: they are recognised as stale
ashlar rack up "$rack" >/dev/null || fail "third up"
# A pid file whose number belongs to somebody else by now, started in another tick of the clock than the part
sleep 0.1
sleep 60 &
stranger=$!
for p in gmm p0 m0 m1 s0; do
	kill -KILL "$(part_pid $p)"
done
sed -i "s/^[0-9]*/$stranger/" "$ASHLAR_RUN/$standing/m0.pid"
run ashlar rack down "$standing"
expect_status 0
ended "$stranger" && fail "a stranger was killed"
kill "$stranger"
[ ! -e "$ASHLAR_RUN" ] || fail "left: $(find "$ASHLAR_RUN")"

# One that cannot start
sed -i 's,root = "/",root = "/absent",' "$rack"
run ashlar rack up "$rack"
expect_status 125
grep -q 's0 (scomponent) did not start' "$tmp/err" || fail "$(cat "$tmp/err")"
grep -q 'cannot export /absent' "$tmp/err" || fail "its log is not shown: $(cat "$tmp/err")"
[ ! -e "$ASHLAR_RUN" ] && no_process || fail "left after a failure"

# Interrupted
cp "$tmp/kept" "$rack"
mkdir "$tmp/parts"
for p in "$bin"/*; do
	ln -s "$p" "$tmp/parts/"
done
rm "$tmp/parts/mcomponent"
printf '#!/bin/sh\nexec sleep 60\n' >"$tmp/parts/mcomponent"
chmod 755 "$tmp/parts/mcomponent"
ASHLAR_BIN=$tmp/parts start rack up "$rack"
wait_for 10 has_line "$tmp/out" 'gmm *is at work' || fail "it does not begin"
kill -TERM "$command"
wait_status "$command"
expect_status 143
[ ! -e "$ASHLAR_RUN" ] && no_process || fail "left after an interruption"
passed
