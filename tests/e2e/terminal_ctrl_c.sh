#!/bin/bash
# Ctrl-C at the terminal ends a program on a private rack, or reaches its handler, as in a shell; nothing is left.
# also: asan
. "$(dirname "$0")/functions.sh"
terminal <<'END' || fail "not as in a shell"
type $ashlar run --excache 2M -- perl -e '$|=1; print "u", "p\n"; 1 while 1'; echo status $?
expect up
key C-c
expect status 130
# a handler of the program's own
type $ashlar run --excache 2M -- $programs/walker 8 0; echo status $?
expect pass 2
key C-c
expect interrupted
expect status 3
# it is ignored where the shell ignores it
type (trap '' INT; $ashlar run --excache 2M -- $programs/signalmask INT); echo status $?
expect INT is ignored
expect status 0
# C-\
type ulimit -c 0; $ashlar run --excache 2M -- $programs/walker 8 0; echo status $?
expect pass 2
key C-\
expect status 131
# the shell's own terminal works on
type stty -a | grep -c icanon; echo done
expect done
END
passed
