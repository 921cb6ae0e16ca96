#!/bin/bash
# A program's exit status and the signal it died of are those that a shell would see.
. "$(dirname "$0")/functions.sh"
ulimit -c 0
for n in 0 1 2 77 125 126 127 255; do
	same_as_native 1M "$programs/ending" exit $n
	same_as_native 1G "$programs/ending" _exit $n
done
for n in 1 2 3 4 5 6 7 8 9 10 11 13 14 15 24 25 31 34 64; do
	same_as_native 1G "$programs/ending" signal $n
done
for how in segv abort fpe ill trap; do
	same_as_native 1M "$programs/ending" $how
	same_as_native 1G "$programs/ending" $how
done
same_as_native 1M "$programs/ending" thread-exit 9
same_as_native 1M "$programs/ending" main-exit
passed
