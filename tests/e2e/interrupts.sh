#!/bin/bash
# Calls that block: EINTR, or restarted where the handler asks for it.
# also: ofi
. "$(dirname "$0")/functions.sh"
same_as_native 1M "$programs/interrupts"
same_as_native 1G "$programs/interrupts"
passed
