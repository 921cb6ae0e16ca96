#!/bin/bash
# Debian's Rust programs are as natively: one that holds its input, with a quarter of its footprint local, and one that
# searches with several threads.
. "$(dirname "$0")/functions.sh"
requires sd rg
"$python" -c 'print("\n".join("%d line %d of many" % (i, i * 7919 % 10007) for i in range(400000)))' >lines
input=lines squeeze sd '([0-9]+) line ([0-9]+)' '$2 by $1'
for excache in 1M 1G; do
	same_as_native $excache rg -n --no-mmap 'line [0-9]*77\b' lines
	same_as_native $excache rg -c --mmap 'of many' lines
	same_as_native $excache rg --threads 8 --sort path -c 'static' "$top/pcomponent"
	same_as_native $excache rg nothing-like-this lines
	same_as_native $excache rg '(' lines
done
passed
