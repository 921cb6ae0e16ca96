#!/bin/bash
# Python's own tests of what it asks of the system (Debian: libpython3-testsuite), with less memory than they take. Left out:
# the one of F_NOTIFY, which docs/syscalls.md refuses.
# timeout: 900
. "$(dirname "$0")/functions.sh"
modules=(test_thread test_mmap test_os test_posix test_pty test_epoll test_select test_fcntl test_fileio test_tempfile
	test_shutil test_glob test_resource test_popen test_openpty test_stat test_file test_pipes test_uuid test_eintr
	test_ctypes test_dbm)
"$python" -c 'import test.test_mmap, test.test_eintr' 2>/dev/null || skip "there are no tests of python's"
suite() { # words of "all went well", arguments of python's own test runner..
	run ashlar run --excache 16M -- "$python" -m test "${@:2}"
	if [ "$status" -ne 0 ]; then
		cp "$tmp/out" "$tmp/inside"
		run "$python" -m test "${@:2}"
		[ "$status" -eq 0 ] || skip "they fail natively as well"
		fail "they pass natively only: $(tail -n 40 "$tmp/inside")"
	fi
	grep -q "$1" "$tmp/out" || fail "not all were run: $(tail -n 5 "$tmp/out")"
}
suite "All ${#modules[@]} tests OK" -i test_fcntl_64_bit "${modules[@]}"
# Descriptors of files in messages; the rest of these two has to do with time and with networks
suite "All 2 tests OK" -m '*SCM*' -m '*FDs*' -m '*FDPass*' -m '*Cmsg*' -m '*fd_transfer*' test_socket test_multiprocessing_spawn
passed
