#!/bin/bash
# mmap, munmap, mprotect, mremap, madvise, brk: contents and errors as natively, evicted or not.
# also: 6.1
. "$(dirname "$0")/functions.sh"
for step in anonymous protect move neighbours advise heap reserve files code stack refused; do
	same_as_native 1M "$programs/mappings" $step
	same_as_native 1G "$programs/mappings" $step
done
same_as_native 2M "$programs/mappings"
passed
