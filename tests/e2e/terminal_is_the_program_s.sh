#!/bin/bash
# The terminal is the program's: isatty, size, reading lines, raw mode, hang-up.
. "$(dirname "$0")/functions.sh"
terminal <<'END' || fail "not as in a shell"
type stty rows 33 cols 77
type $ashlar run -- tty; $ashlar run -- stty size; echo done
expect /dev/pts/[0-9]+
expect 33 77
expect done
type $ashlar run --excache 4M -- cat; echo status $?
type hello, program
expect hello, program
key C-d
expect status 0
type $ashlar run -- stty -icanon; stty -a | tr ' ' '\n' | grep icanon; $ashlar run -- stty sane
expect -icanon
type $ashlar run --excache 4M -- $python -c 'import os; print(os.get_terminal_size(), os.isatty(0), os.tcgetpgrp(0) == os.getpgrp())'
expect columns=77, lines=33\) True True
type $ashlar run --excache 2M -- $programs/walker 8 0
expect pass 2
hangup
END
passed
