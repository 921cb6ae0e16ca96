#!/bin/bash
# Bad pointers give EFAULT, in over a hundred calls, and the program lives on.
# also: ofi
. "$(dirname "$0")/functions.sh"
same_as_native 1G "$programs/badpointers"
grep -c EFAULT "$tmp/rack.out"
same_as_native 1M "$programs/badpointers"
passed
