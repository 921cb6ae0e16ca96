#!/bin/bash
# bc with numbers of many digits, a quarter of its footprint local, is as natively.
. "$(dirname "$0")/functions.sh"
cat >"$tmp/sums" <<'END'
scale = 0
for (i = 0; i < 30000; ++i) { a[i] = 7^(800 + i % 7) + i }
s = 0
for (i = 0; i < 30000; ++i) { s += a[(i * 7919) % 30000] % 1000003 }
s
scale = 200
4 * a(1)
1 / 0
2 ^ 300
END
input=$tmp/sums
squeeze bc -lq
passed
