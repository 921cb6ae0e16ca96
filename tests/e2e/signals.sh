#!/bin/bash
# Signals: handlers, nesting, alternate stacks, masks, queues, contexts, faults with their addresses.
# also: 6.1
. "$(dirname "$0")/functions.sh"
for excache in 1M 4M 1G; do
	same_as_native $excache "$programs/signals"
done
passed
