#!/bin/bash
# A C program whose two threads sort, merge and hand over, a quarter of its footprint local, is as natively.
# also: 6.1
. "$(dirname "$0")/functions.sh"
squeeze "$programs/twothreads" 24
for i in 1 2 3; do
	same_as_native 2M "$programs/twothreads" 8
done
passed
