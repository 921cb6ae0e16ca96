#!/bin/bash
# A program of a standing rack at a terminal: it has one of its own, of the right size, whose keys do what they do.
# also: ofi
. "$(dirname "$0")/functions.sh"
requires stty
rack_start 64M 2
export rack daemon
terminal <<'END' || fail "not as at a terminal"
type noted() { bash -c 'echo $$ >$0; exec "$@"' $tmp/pid "$@"; }; tty >$tmp/tty; stty rows 31 cols 97; before=$(stty -g); echo size is set
expect size is set
type $ashlar run --rack $rack -- stty size; echo status $?
expect 31 97
expect status 0
type $ashlar run --rack $rack -- $python -c 'import os; print(os.isatty(0), os.isatty(1), os.isatty(2), os.getsid(0) == os.getpid(), os.tcgetpgrp(0) == os.getpgrp())'; echo status $?
expect True True True True True
expect status 0
type $ashlar run --rack $rack -- $python -c 'import os; print(os.isatty(0), os.isatty(2))' 2>$tmp/apart; echo status $?
expect True False
expect status 0
# what is typed is echoed by its terminal, and edited there
type $ashlar run --rack $rack -- $python -c 'print("you " + "said", input("say: "))'; echo status $?
expect say:
type hello there
expect you said hello there
expect status 0
# end of file
type $ashlar run --rack $rack -- cat; echo status $?
type one line
expect one line
key C-d
expect status 0
# Ctrl-C is a signal to the program, not to the command. Once it is in clock_nanosleep (230): Python forgets one that comes
# just before that call
type $ashlar run --rack $rack -- $python -c 'import time; print("wai" + "ting"); time.sleep(60)'; echo status $?
expect waiting
check grep -q "^230 " /proc/$(pgrep -x python3 -P $daemon)/syscall
key C-c
expect KeyboardInterrupt
expect status (1|130)
type $ashlar run --rack $rack -- sleep 60; echo status $?
check pgrep -x sleep -P $daemon >/dev/null
key C-c
expect status 130
# raw keys reach it: Ctrl-Z too
type $ashlar run --rack $rack -- $python -c 'import tty, sys; tty.setraw(0); print("key" + "s:", end="", flush=True); print([ord(c) for c in sys.stdin.read(3)])'; echo status $?
expect keys:
key C-z
key C-c
key C-s
expect \[26, 3, 19\]
expect status 0
# the size changes with that of the terminal
type noted $ashlar run --rack $rack -- $python -c 'import os, signal; signal.signal(28, lambda n, f: print("now", os.get_terminal_size())); print("size" + "d", flush=True); list(iter(signal.pause, 0))'; echo status $?
expect sized
check stty rows 20 cols 50 <$(cat $tmp/tty)
expect now os.terminal_size\(columns=50, lines=20\)
key C-c
expect status
# the way out
type $ashlar run --rack $rack -- sleep 61; echo status $?
check pgrep -x sleep -P $daemon >/dev/null
type ~.
expect left by
expect status 125
# SIGTERM: the terminal is as it was
type noted $ashlar run --rack $rack -- sleep 62; echo status $?
check pgrep -x sleep -P $daemon >/dev/null && kill $(cat $tmp/pid)
expect status 143
type [ "$(stty -g)" = "$before" ] || stty size; [ "$(stty -g | cut -d: -f1-4)" = "$(echo $before | cut -d: -f1-4)" ] && echo modes as be""fore
expect modes as before
END
expect_freed "all"
passed
