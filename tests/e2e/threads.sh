#!/bin/bash
# Threads: created, joined, detached, cancelled by the hundred; every kind of waiting.
# also: 6.1
. "$(dirname "$0")/functions.sh"
for excache in 1M 4M 1G; do
	same_as_native $excache "$programs/threads"
done
passed
