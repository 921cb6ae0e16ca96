#!/bin/bash
# awk with arrays, a quarter of its footprint local, is as natively.
. "$(dirname "$0")/functions.sh"
squeeze awk 'BEGIN {
	for (i = 1; i <= 200000; i++) {
		k = (i * 7919) % 1000003
		count["key" k] = i
		text = text substr("abcdefghij", i % 10 + 1, 1)
		if (length(text) > 1000)
			text = ""
	}
	for (i = 1; i <= 20000; i++) {
		k = "key" ((i * 48271) % 1000003)
		if (k in count) { hits++; sum += count[k] }
	}
	for (k in count) { n++; total += count[k] }
	print n, hits, sum, total, text
	exit 2
}'
passed
