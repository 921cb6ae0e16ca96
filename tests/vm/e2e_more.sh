#!/bin/bash
# End-to-end tests on a VM rack: those that tests/vm/e2e.list calls long.
# timeout: 7200
# only: test-vm
. "$(dirname "$0")/functions.sh"
vm_up --mem processor=2304M
vm_e2e long
vm_down
passed
