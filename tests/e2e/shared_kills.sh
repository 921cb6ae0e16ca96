#!/bin/bash
# Shared memory larger than the ExCache when somebody is killed: a process that maps it, its keeper, a memory component. And a
# segment with a name is whole when the tree has ended.
# also: ofi
. "$(dirname "$0")/functions.sh"
rack_start 64M 2
work=$programs/shared_work
keeper() { # its pid
	local p
	for p in $(our_processes); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = ashlar-keeper ] && echo "$p" && return 0
	done
	return 1
}
no_keeper() { ! keeper >/dev/null; }

# Two of four workers, at different moments
start run --rack "$rack" --excache 2M -- "$work" 6 4 4
wait_for 20 has_line "$tmp/out" '^at work' || fail "it does not start: $(cat "$tmp/err")"
workers=$(sed -n 's/^worker //p' "$tmp/out")
keeper >/dev/null || fail "there is no keeper"
for p in $(echo "$workers" | head -n 2); do
	sleep 0.7
	kill -KILL "$p"
done
wait_status "$command" 30
expect_status 0
grep -q '^right' "$tmp/out" || fail "$(cat "$tmp/out" "$tmp/err")"
wait_for 2 no_keeper || fail "the keeper outlives its tree"
expect_freed "workers killed"

# The keeper: all that know it end, and say why
start run --rack "$rack" --excache 2M -- "$work" 6 2 20
wait_for 20 has_line "$tmp/out" '^at work' || fail "it does not start: $(cat "$tmp/err")"
kill -KILL "$(keeper)"
wait_status "$command" 10
expect_status 125
grep -q 'keeper of shared memory is gone' "$tmp/err" || fail "$(cat "$tmp/err")"
expect_freed "the keeper killed"

# A segment that has a name outlives the tree: what was away is there
name=/ashlar-shared-$$
cleanup "rm -f /dev/shm$name"
run ashlar run --rack "$rack" --excache 2M -- "$work" 6 1 1 "$name"
expect_status 0
"$python" - "/dev/shm$name" <<'END' || fail "pages of it are not there"
import struct, sys
data = open(sys.argv[1], 'rb').read()
assert len(data) == 6 << 20
assert all(struct.unpack_from('<I', data, i * 4096 + 4092)[0] == i for i in range(1536))
END
rm -f "/dev/shm$name"
expect_freed "a named segment"

# A memory component: an access to what it had is a SIGBUS
start run --rack "$rack" --excache 2M -- "$work" 6 2 20
wait_for 20 has_line "$tmp/out" '^at work' || fail "it does not start: $(cat "$tmp/err")"
kill -KILL "${memory[1]}"
wait_status "$command" 30
[ "$status" -eq 135 ] || [ "$status" -eq 1 ] || [ "$status" -eq 125 ] || fail "status $status: $(cat "$tmp/out" "$tmp/err")"
grep -q m1 "$tmp/err" || fail "the component is not named: $(cat "$tmp/err")"
wait_for 2 no_keeper || fail "the keeper outlives its tree"
expect_freed "a component killed"
passed
