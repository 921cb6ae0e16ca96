#!/bin/bash
# expect with a shell on a pseudo-terminal, all of it one tree: what the terminal edits and echoes, its size, job control
# by its keys, and the end of the session are as natively.
. "$(dirname "$0")/functions.sh"
requires expect
cat >session <<'END'
log_user 0
set timeout 60
proc step {what pattern} {
	expect {
		-re $pattern {}
		timeout { puts "timeout at $what"; exit 9 }
		eof { puts "end at $what"; exit 9 }
	}
	puts "$what: [string map {\r "" \n " "} $expect_out(1,string)]"
}
# In the shell's child, so that the key finds it there
proc asleep {} { send "sh -c 'echo asl''eep; exec sleep 100'\r"; step asleep {\n(asleep)\r} }
spawn -noecho env -i PATH=/usr/bin:/bin TERM=dumb PS1=READY> bash --norc --noprofile --noediting
step prompt {(READY)>}
exec stty -F $spawn_out(slave,name) rows 33 columns 77
send "stty size\r"
step size {\n(33 77)\r.*READY>}
send "echo abX\bc\r"
step erased {\n(ab[^\r]*)\r.*READY>}
send "cat\r"
send "line\r"
step echoed {(line\r\nline)\r\n}
send "\004"
step eof {(READY)>}
asleep
send "\003"
step interrupted {(\^C)\r.*READY>}
asleep
send "\032"
step stopped {(Stopped)[^\r]*\r.*READY>}
send "bg; kill %1; wait %1; echo status \$?\r"
step killed {\n(status [0-9]+)\r.*READY>}
send "trap 'echo size changed' WINCH; (sleep 0.2; kill -WINCH \$\$) & wait\r"
step resized {\n(size changed)\r.*READY>}
send "exec sh -c 'tty >/dev/null && exit 7'\r"
expect eof
puts "ended [lindex [wait] 3]"
END
same_as_native 1M expect session
has_line "$tmp/rack.out" '^ended 7$' || fail "the session did not come to its end"
same_as_native 256M expect session
passed
