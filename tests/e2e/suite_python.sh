#!/bin/bash
# Python's own tests of what it asks of the system (Debian: libpython3-testsuite), with less memory than they take. Left out:
# the one of F_NOTIFY, which docs/syscalls.md refuses.
# timeout: 900
. "$(dirname "$0")/functions.sh"
modules=(test_thread test_mmap test_os test_posix test_pty test_epoll test_select test_fcntl test_fileio test_tempfile
	test_shutil test_glob test_resource test_popen test_openpty test_stat test_file test_pipes test_uuid test_eintr
	test_ctypes test_dbm)
"$python" -c 'import test.test_mmap, test.test_eintr' 2>/dev/null || skip "there are no tests of python's"
suite=("$python" -m test -i test_fcntl_64_bit "${modules[@]}")
run ashlar run --excache 16M -- "${suite[@]}"
if [ "$status" -ne 0 ]; then
	cp "$tmp/out" "$tmp/inside"
	run "${suite[@]}"
	[ "$status" -eq 0 ] || skip "they fail natively as well"
	fail "they pass natively only: $(tail -n 40 "$tmp/inside")"
fi
grep -q "All ${#modules[@]} tests OK" "$tmp/out" || fail "not all were run: $(tail -n 5 "$tmp/out")"
passed
