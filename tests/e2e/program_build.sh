#!/bin/bash
# make -j2 and gcc build a part of ashlar inside ashlar; its unit tests pass there. (All of it: make soak.)
# timeout: 600
. "$(dirname "$0")/functions.sh"
requires gcc make
export CCACHE_DISABLE=1
cd "$top" || exit 1
ashlar run --excache 64M --stats "$tmp/stats" -- make -s -j2 B="$tmp/b" "$tmp/b/lib/libbase.a" "$tmp/b/lib/libproto.a" \
	>"$tmp/out" 2>"$tmp/err" || {
	show "$tmp/out" "$tmp/err"
	fail "make fails"
}
cat >"$tmp/hist.c" <<'END'
#include <stdio.h>
#include "ashlar/base/hist.h"
int main(void)
{
	static struct hist h;

	for (unsigned i = 1; i <= 1000; i++)
		hist_add(&h, i * 1000);
	printf("%d\n", hist_quantile(&h, 0.5) > 400000 && hist_quantile(&h, 0.5) < 600000);
	return 0;
}
END
ashlar run --excache 64M -- gcc -Iinclude "$tmp/hist.c" "$tmp/b/lib/libbase.a" -o "$tmp/hist" || fail "gcc fails"
[ "$(ashlar run --excache 64M -- "$tmp/hist")" = 1 ] || fail "what was built is wrong"
[ "$(stat_of "$tmp/stats" detail.processes)" -ge 40 ] || fail "hardly a process"
echo "built by $(stat_of "$tmp/stats" detail.processes) programs, $(stat_of "$tmp/stats" excache.misses) misses"
passed
