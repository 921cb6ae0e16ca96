#!/bin/bash
# Ctrl-Z, fg and bg as in a shell.
. "$(dirname "$0")/functions.sh"
terminal <<'END' || fail "not as in a shell"
type $ashlar run --excache 2M -- $programs/walker 8 0; echo status $?
expect pass 2
key C-z
expect Stopped
expect status 148
type jobs
expect Stopped
type echo before; ps -o stat= -p $(pgrep -x walker -P $(jobs -p)); echo after
expect before\s+T\S*\s+after
type fg
expect pass
expect pass
key C-z
expect Stopped
type bg >/dev/null; echo in background
expect in background
expect pass
expect pass
type fg
expect pass
key C-c
expect interrupted
type echo status $?
expect status 3
# kill -STOP from elsewhere stops it as well, and the shell knows
type $ashlar run --excache 2M -- $programs/walker 8 0; echo status $?
expect pass 2
check kill -STOP $(grep -lz "$ASHLAR_TEST_MARK" $(grep -lx walker /proc/[0-9]*/comm | sed s/comm/environ/) | cut -d/ -f3)
expect Stopped
type fg
expect pass
key C-c
expect interrupted
END
passed
