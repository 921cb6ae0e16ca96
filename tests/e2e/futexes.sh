#!/bin/bash
# futex(2) itself, on words that are resident, clean, or evicted.
. "$(dirname "$0")/functions.sh"
for excache in 1M 2M 1G; do
	same_as_native $excache "$programs/futexes" 4
done
passed
