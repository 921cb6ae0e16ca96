#!/bin/bash
# Programs that cannot run: one clear line, 126 or 127, nothing left. Private and hand-made rack.
# also: asan
. "$(dirname "$0")/functions.sh"
refused() { # status, pattern, program: on a private rack, then on the hand-made one
	local how
	for how in "" "--rack $rack"; do
		# shellcheck disable=SC2086
		run timeout 20 "$bin/ashlar" run $how -- "${@:3}"
		expect_status "$1"
		expect_one_line "^ashlar: .*$2"
	done
	cat "$tmp/err"
}
rack_start 64M 1

# not there
refused 127 'absent-program: No such file' absent-program
refused 127 './absent: No such file' ./absent
refused 127 '/absent/program: No such file' /absent/program
refused 127 "No such file" ""
# there, but not to be executed
echo text >plain && chmod 644 plain
refused 126 'plain: Permission denied' ./plain
refused 126 '/: (Permission denied|Is a directory)' /
mkdir folder
refused 126 'folder' ./folder
: >empty && chmod 755 empty
refused 126 'empty' ./empty
chmod 755 plain
refused 126 'plain: .*(format|Exec|not an ELF program)' ./plain
mkfifo fifo && chmod 755 fifo
refused 126 'fifo' ./fifo
ln -s loop loop
refused 126 'loop' ./loop
refused 126 'null' /dev/null
ln -s absent dangling
refused 127 'dangling' ./dangling
# a file as a folder, a name too long
refused 126 'plain/x' ./plain/x
refused 126 'too long' "./$(printf '%0300d' 0)"

# scripts
printf '#!/absent/interpreter\n' >script && chmod 755 script
refused 127 'absent/interpreter' ./script
printf '#!\n' >script2 && chmod 755 script2
refused 126 'script2' ./script2
printf '#!%s/plain2\n' "$PWD" >script3 && chmod 755 script3
echo x >plain2
refused 126 'plain2|script3' ./script3
printf '#!%s/script4\n' "$PWD" >script4 && chmod 755 script4
refused 126 'script4' ./script4
printf '#!/bin/sh\necho read\n' >script5 && chmod 111 script5
if [ "$(id -u)" -ne 0 ]; then
	refused 126 'script5' ./script5
fi

expect_freed "all of them"
ls -A >"$tmp/list"
[ "$(wc -l <"$tmp/list")" -eq 12 ] || fail "files appeared: $(cat "$tmp/list")"
passed
