#!/bin/bash
# End-to-end tests on a VM rack: those that tests/vm/e2e.list calls short.
# timeout: 600
. "$(dirname "$0")/functions.sh"
diff <(sed -n 's/^\(short\|long\|out\) \([^ ]*\).*/\2/p' "$top/tests/vm/e2e.list" | sort) \
	<(basename -s .sh "$here"/*.sh | grep -vx functions | sort) || fail "e2e.list does not have each test of tests/e2e once"
vm_up --mem processor=2304M # half of it is what programs may use: some tests ask for 1G
vm_e2e short
vm_down
passed
