#!/bin/bash
# A limit on the size of files that the shell has set (ulimit -f) binds the program, and neither the command nor its rack.
. "$(dirname "$0")/functions.sh"
cat >"$tmp/work/write.py" <<'END'
import resource, signal
print(resource.getrlimit(resource.RLIMIT_FSIZE))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
f = open("file", "wb", buffering=0)
n = 0
try:
    while n < 100000: n += f.write(bytes(3000))
except OSError as e: print(e.errno)
print(n, sum(len(bytearray(4096)) for i in range(2000)))
END
for limit in '-S -f 12' '-f 12'; do
	rm -f file
	# shellcheck disable=SC2086 # two words
	(ulimit $limit && exec "$python" write.py) >"$tmp/native" 2>&1
	# shellcheck disable=SC2086
	if ! (ulimit $limit && ulimit -f unlimited) 2>"$tmp/err"; then # a hard limit, and no CAP_SYS_RESOURCE to lift it
		(ulimit -f 12 && exec "$bin/ashlar" run -- "$python" write.py) >"$tmp/out" 2>&1
		[ $? -eq 125 ] || fail "an ordinary user's hard limit: $(cat "$tmp/out")"
		grep -q 'ulimit -H -f' "$tmp/out" || fail "not said why: $(cat "$tmp/out")"
		continue
	fi
	# shellcheck disable=SC2086
	(ulimit $limit && ASHLAR_TEST_MARK=$mark exec "$bin/ashlar" run --excache 4M --stats "$tmp/stats" -- "$python" write.py) >"$tmp/out" 2>&1
	cmp "$tmp/native" "$tmp/out" || fail "ulimit $limit: $(cat "$tmp/native" "$tmp/out")"
	[ "$(stat_of "$tmp/stats" process.exit_status)" = 0 ] || fail "no counters"
done
passed
