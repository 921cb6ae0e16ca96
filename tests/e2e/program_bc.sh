#!/bin/bash
# bc with numbers of many digits, a quarter of its footprint local, is as natively.
. "$(dirname "$0")/functions.sh"
cat >"$tmp/sums" <<'END'
for (i = 0; i < 40000; ++i) { a[i] = 7^(600 + i % 7) + i }
s = 0
for (i = 0; i < 40000; ++i) { s += a[(i * 7919) % 40000] % 1000003 }
s
scale = 200
4 * a(1)
1 / 0
2 ^ 300
END
input=$tmp/sums
squeeze bc -lq
passed
