#!/bin/bash
# Programs of dietlibc, static: no thread-local storage, no start-up files, its own break right behind a small image.
. "$(dirname "$0")/functions.sh"
requires diet
"$python" -c 'print("\n".join("%d line %d" % (i, i * 7919 % 10007) for i in range(60000)))' >lines
for how in "" "-Os"; do
	# shellcheck disable=SC2086
	diet $how gcc -O1 -Wl,--no-warnings -o plain "$top/tests/programs/plain.c" >cc.out 2>&1 ||
		diet $how gcc -O1 -o plain "$top/tests/programs/plain.c" >cc.out 2>&1 || {
		cat cc.out >&2
		fail "cannot build with diet $how"
	}
	echo "diet $how"
	same_as_native 1M ./plain 2 lines
	same_as_native 1G ./plain 2 lines
	squeeze ./plain 32 lines
done
passed
