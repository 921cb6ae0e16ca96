#!/bin/bash
# Programs of another C library, musl: dynamic, static and static position independent, its threads, signals and futexes.
# timeout: 200
. "$(dirname "$0")/functions.sh"
requires musl-gcc
shim="-D_GNU_SOURCE -Dstrerrorname_np=strerror -I$top -I$top/include"
kernel="-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu"
for how in "" "-static" "-static-pie -fPIE"; do
	for p in threads signals futexes twothreads; do
		# shellcheck disable=SC2086
		musl-gcc -O1 $how $shim $kernel -o $p "$top/tests/programs/$p.c" 2>cc.err || {
			cat cc.err >&2
			fail "cannot build $p with musl-gcc $how"
		}
		echo "musl-gcc $how $p"
		same_as_native 1M ./$p
	done
	same_as_native 1G ./threads
	squeeze ./twothreads 24
done
passed
