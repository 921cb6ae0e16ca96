#!/bin/bash
# The host kernel's core file of a program that a signal ends: the bit in the wait status as natively, the program's own
# memory in the file, the dispatcher's not.
. "$(dirname "$0")/functions.sh"
requires readelf
[ "$(cat /proc/sys/kernel/core_pattern)" = core ] || skip "core files do not go to the working directory here"
ulimit -c unlimited 2>/dev/null || skip "the limit of core files cannot be raised"
cat >dies.py <<'END'
import os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CORE, (int(sys.argv[1]), resource.RLIM_INFINITY))
for sig in signal.SIGABRT, signal.SIGSEGV, signal.SIGFPE, signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL:
    pid = os.fork()
    if not pid:
        words = "words of the " + "program"
        os.kill(os.getpid(), sig)
    status = os.waitpid(pid, 0)[1]
    print(sig, os.WTERMSIG(status) == sig, os.WCOREDUMP(status))
END
for limit in 0 -1; do
	for excache in 1M 256M; do
		natively "$python" dies.py "$limit"
		rm -f core
		as_natively "$excache" "$python" dies.py "$limit"
		[ "$limit" = -1 ] || [ ! -e core ] || fail "a core file in spite of the limit"
	done
done
[ -s core ] || fail "no core file"
grep -a -q 'words of the program' core || fail "the program's memory is not in it"
# Above 0x700000000000 the dispatcher's memory, but for what it mapped since: program headers with bytes in the file
ours=0
while read -r type _ address _ bytes _; do
	[ "$type" = LOAD ] && [ $((address >> 44)) = 7 ] && ours=$((ours + bytes))
done < <(readelf -lW core)
[ "$ours" -lt $((16 << 20)) ] || fail "$ours bytes of the dispatcher's memory"
rm -f core
passed
