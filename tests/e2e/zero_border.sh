#!/bin/bash
# Zeros filled ahead stop where the host kernel's mapping ends, though the program's goes on.
. "$(dirname "$0")/functions.sh"
same_as_native 4M "$programs/zero_border"
passed
