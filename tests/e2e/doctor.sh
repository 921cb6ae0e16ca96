#!/bin/bash
# ashlar doctor: this machine is fit; what a container's filter or a limit takes away is named, with what it means and how it
# is mended, and `ashlar run` then fails with 125 and one line that points to the doctor.
. "$(dirname "$0")/functions.sh"
filter=$programs/filter
uffd=323 madvise=440 memfd=319 pidfd=434 # numbers of system calls
EPERM=1 ENOSYS=38

doctor() { ASHLAR_TEST_MARK=$mark "$@" "$bin/ashlar" doctor --json >"$tmp/doctor" 2>"$tmp/err"; status=$?; }
of() { # check, field
	"$python" -c 'import json, sys
d = json.load(open(sys.argv[1]))
print([c for c in d["checks"] if c["name"] == sys.argv[2]][0][sys.argv[3]])' "$tmp/doctor" "$1" "$2"
}
expect_state() { # check, state, pattern of what was found
	[ "$(of "$1" state)" = "$2" ] || fail "$1 is $(of "$1" state), not $2: $(of "$1" found)"
	of "$1" found | grep -qE -e "$3" || fail "$1: $(of "$1" found)"
	[ "$2" = ok ] || { [ -n "$(of "$1" means)" ] && [ -n "$(of "$1" fix)" ]; } || fail "$1: no meaning or mending"
	echo "$1: $2, $(of "$1" found)"
}
run_fails() { # pattern, command in front
	run env ASHLAR_TEST_MARK="$mark" timeout 20 "${@:2}" "$bin/ashlar" run -- true
	expect_status 125
	expect_one_line "^ashlar: $1.*ashlar doctor"
	cat "$tmp/err"
}

# Here everything works: every test of this folder says so
doctor env
[ "$status" -eq 0 ] || { cat "$tmp/doctor"; fail "exit status $status where the local mode works"; }
expect_state userfaultfd ok SIGBUS
expect_state syscall-dispatch ok caught
run ashlar doctor
expect_status 0
[ ! -s "$tmp/err" ] && tail -n 1 "$tmp/out" | grep -q '^ashlar works here: local' || fail "$(cat "$tmp/out" "$tmp/err")"
cat "$tmp/out"
# each line of a fault has its mending
awk '/^[a-z]/ { want = $2 == "limited" || $2 == "missing" } / mend: / { want = 0 }
	/^[a-z]/ && last { print last; bad = 1 } { last = "" } END { exit bad }' "$tmp/out" || fail "no mending"
for words in "doctor --frobnicate" "doctor now"; do
	# shellcheck disable=SC2086
	run "$bin/ashlar" $words
	expect_status 125
	expect_one_line '^ashlar: '
done

# One call each
doctor "$filter" $uffd:$EPERM --
[ "$status" -eq 1 ] || fail "userfaultfd is denied, and the exit status is $status"
expect_state userfaultfd missing 'not permitted.*seccomp'
of userfaultfd fix | grep -q 'security-opt seccomp=' || fail "$(of userfaultfd fix)"
run_fails 'userfaultfd: Operation not permitted' "$filter" $uffd:$EPERM --
doctor "$filter" $uffd:$ENOSYS --
[ "$status" -eq 1 ] || fail "userfaultfd is not there, and the exit status is $status"
expect_state userfaultfd missing 'not implemented.*seccomp'
run_fails 'userfaultfd: Function not implemented' "$filter" $uffd:$ENOSYS --
doctor "$filter" sud --
[ "$status" -eq 1 ] || fail "user dispatch is denied, and the exit status is $status"
expect_state syscall-dispatch missing 'not permitted.*seccomp'
run_fails 'system call user dispatch: Operation not permitted' "$filter" sud --
doctor "$filter" $memfd:$EPERM --
[ "$status" -eq 1 ] || fail "memfd_create is denied, and the exit status is $status"
expect_state memfd missing 'memfd_create.*not permitted'
run_fails '.*Operation not permitted' "$filter" $memfd:$EPERM --
doctor "$filter" $pidfd:$EPERM --
[ "$status" -eq 1 ] || fail "pidfd_open is denied, and the exit status is $status"
expect_state pidfd missing 'pidfd_open.*not permitted'

# The default profiles of Docker and Podman: userfaultfd is what stops us; with it allowed all works, by the slower ways
for profile in docker podman; do
	doctor "$filter" $profile --
	[ "$status" -eq 1 ] || fail "under the profile of $profile the exit status is $status"
	echo "profile of $profile:"
	expect_state seccomp ok 'in force'
	expect_state userfaultfd missing 'not permitted'
	expect_state process_madvise limited 'not permitted'
	doctor "$filter" +$uffd $profile --
	[ "$status" -eq 0 ] || fail "userfaultfd is allowed to the profile of $profile, and the exit status is $status"
	expect_state userfaultfd ok SIGBUS
	[ $profile = docker ] || expect_state process_vm_readv limited 'not permitted'
	"$programs/walker" 16 3 >"$tmp/native.out" 2>"$tmp/native.err"
	ASHLAR_TEST_MARK=$mark "$filter" +$uffd $profile -- "$bin/ashlar" run --excache 2M --stats "$tmp/stats" -- \
		"$programs/walker" 16 3 >"$tmp/rack.out" 2>"$tmp/rack.err"
	ASHLAR_KERNEL='' compare_with_native "walker under the profile of $profile with userfaultfd" 0 $?
	[ "$(stat_of "$tmp/stats" detail.kernel_drop_vector)" = 0 ] || fail "process_madvise in spite of the filter"
	[ "$(stat_of "$tmp/stats" excache.misses)" -gt 1000 ] || fail "hardly a miss"
done
doctor "$filter" +$uffd $madvise:$ENOSYS --
[ "$status" -eq 0 ] || fail "process_madvise is not there, and the exit status is $status"
expect_state process_madvise limited 'not implemented'

# Limits
(ulimit -n 40; doctor env; [ "$status" -eq 1 ]) || fail "40 descriptors would do"
expect_state limit-nofile missing '^40'
(
	ulimit -n 20
	run_fails 'cannot start .*open files' env
) || exit 1
(ulimit -n 100; doctor env; [ "$status" -eq 0 ]) || fail "100 descriptors would not do"
expect_state limit-nofile limited '^100'
(ulimit -v 4000000; doctor env; [ "$status" -eq 0 ]) || fail "4 GB of addresses would not do"
expect_state limit-as limited '^4096000000'

# An ordinary user
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$tmp" && cp "$bin/ashlar" "$tmp/ashlar"
	if setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all "$tmp/ashlar" --version >/dev/null 2>&1; then
		bin=$tmp doctor setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all
		[ "$status" -eq 0 ] || fail "as an ordinary user: $status, $(cat "$tmp/err")"
		expect_state userfaultfd ok SIGBUS
	fi
fi
passed
