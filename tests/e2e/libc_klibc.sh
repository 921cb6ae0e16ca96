#!/bin/bash
# Programs of klibc: the library is itself the interpreter and lies at a fixed address; its own shell and tools as well.
. "$(dirname "$0")/functions.sh"
requires klcc
"$python" -c 'print("\n".join("%d line %d" % (i, i * 7919 % 10007) for i in range(60000)))' >lines
for how in "" "-static"; do
	# shellcheck disable=SC2086
	klcc -O1 $how -o plain "$top/tests/programs/plain.c" >cc.out 2>&1 || { cat cc.out >&2; fail "cannot build with klcc $how"; }
	echo "klcc $how"
	same_as_native 1M ./plain 2 lines
	same_as_native 1G ./plain 2 lines
	squeeze ./plain 32 lines
done
tools=/usr/lib/klibc/bin
gzip -c lines >lines.gz
same_as_native 1M $tools/zcat lines.gz
same_as_native 1M $tools/cat lines lines.gz
input=lines same_as_native 1M $tools/dd bs=1000 count=50
same_as_native 1M $tools/sh -c 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i; done; exit 5'
same_as_native 1M $tools/uname -s
passed
