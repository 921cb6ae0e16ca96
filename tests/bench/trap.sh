#!/bin/bash
# The cost of a system call that does nothing, natively and under the dispatcher.
. "$(dirname "$0")/functions.sh"
for ((i = 0; i < pairs; i++)); do
	"$programs/getppids" 100000 | sed 's/^/native /'
	"$bin/ashlar" run -- "$programs/getppids" 100000 | sed 's/^/trapped /'
done | summary "trapped / native = trapped call / native call"
