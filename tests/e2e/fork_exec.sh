#!/bin/bash
# fork, vfork, exec and their kin: a clear message and an error, no hang.
. "$(dirname "$0")/functions.sh"
for how in fork vfork exec spawn clone; do
	run timeout 20 "$bin/ashlar" run -- "$programs/forks" $how
	expect_status 1
	grep -q "^$how: ENOSYS" "$tmp/out" || fail "$how answers $(cat "$tmp/out")"
	[ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -q "^ashlar: .*not supported" "$tmp/err" || {
		show "$tmp/err"
		fail "$how: no clear message"
	}
	cat "$tmp/err"
done
run ashlar run -- "$programs/forks" clone3
grep -q "^clone3: ENOSYS" "$tmp/out" || fail "clone3 answers $(cat "$tmp/out")"
run timeout 20 "$bin/ashlar" run -- sh -c '/bin/true; echo "status $?"'
grep -q 'not supported' "$tmp/err" || fail "a shell that starts a program: $(cat "$tmp/err")"
passed
