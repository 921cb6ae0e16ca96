#!/bin/bash
# A program lowers its limit of open files, meets it, and raises it again: as natively.
. "$(dirname "$0")/functions.sh"
echo contents >file
for excache in 1M 1G; do
	same_as_native $excache "$programs/nofile" file
done
passed
