#!/bin/bash
# A program gets interpreter, libraries and data of the export, not the host's at the same paths.
. "$(dirname "$0")/functions.sh"
requires gcc
root=$tmp/root
mkdir -p "$root/lib64" "$root/usr/bin" "$root/etc" "$root/usr/lib/ashlar-test" "$root/tmp" "$tmp/host"

# A library that is not the host's (there is none on the host), and one that both have, with different answers.
echo 'const char *who(void) { return "the library of the export"; }' >who.c
gcc -shared -fPIC -o "$root/usr/lib/ashlar-test/libwho.so" who.c || fail "cannot build"
cat >main.c <<'END'
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
const char *who(void);
int main(int argc, char **argv)
{
	char line[200] = "", interp[200] = "";
	FILE *f = fopen("/etc/hostname", "r");
	printf("%s\n", who());
	if (f && fgets(line, sizeof(line), f))
		printf("/etc/hostname: %s", line);
	f = fopen("/proc/self/maps", "r");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "/lib64/") && !interp[0])
			strcpy(interp, strchr(line, '/'));
	printf("interpreter: %s", interp);
	printf("/usr/bin/env is there: %d\n", access("/usr/bin/env", F_OK) == 0);
	f = fopen("/tmp/written", "w");
	if (f)
		fprintf(f, "by the program\n");
	return f && !fclose(f) ? 0 : 1;
}
END
gcc -o "$root/usr/bin/main" main.c -L"$root/usr/lib/ashlar-test" -lwho \
	-Wl,-rpath,/usr/lib/ashlar-test -Wl,--dynamic-linker=/lib64/ld-of-the-export.so || fail "cannot build"
loader=$(ldd /bin/true | sed -n 's,.*\(/lib64/ld-linux-x86-64.so.2\).*,\1,p')
libc=$(ldd /bin/true | sed -n 's,.*=> \(.*/libc.so.6\) .*,\1,p')
[ -n "$loader" ] && [ -n "$libc" ] || skip "no usual libc"
cp -L "$loader" "$root/lib64/ld-of-the-export.so"
mkdir -p "$root$(dirname "$libc")"
cp -L "$libc" "$root$libc"
cp -L "$loader" "$root$loader"
echo name-of-the-export >"$root/etc/hostname"
[ ! -e /lib64/ld-of-the-export.so ] || fail "the host has it too"

try() {
	run ashlar run --root "$root" --excache 2M -- "$1"
	expect_status 0
	printf 'the library of the export\n/etc/hostname: name-of-the-export\ninterpreter: /lib64/ld-of-the-export.so\n/usr/bin/env is there: 0\n' >"$tmp/want"
	diff "$tmp/want" "$tmp/out" || fail "not of the export"
	[ ! -s "$tmp/err" ] || fail "$(cat "$tmp/err")"
	[ "$(cat "$root/tmp/written")" = "by the program" ] || fail "not written into the export"
	rm "$root/tmp/written"
}
cd / || exit 1
try /usr/bin/main
# By PATH, of the export as well; a program that only the host has is not there.
run ashlar run --root "$root" -- main
expect_status 0
run ashlar run --root "$root" -- perl
expect_status 127

# A libc that differs from the host's: one byte of its version text.
sed -i 's/GNU C Library/GNU c library/' "$root$libc"
run ashlar run --root "$root" -- "$libc"
grep -q 'GNU c library' "$tmp/out" || fail "the host's libc: $(head -n 1 "$tmp/out" "$tmp/err")"

# Nothing outside of the export is reached.
ln -s /../../../../../../etc/passwd "$root/etc/escape"
ln -s "$tmp/host" "$root/host"
echo secret >"$tmp/host/file"
cp -L /bin/cat "$root/usr/bin/cat"
for f in /etc/escape /host/file "/../../$tmp/host/file" "$tmp/host/file" /proc/1/root/etc/passwd; do
	run ashlar run --root "$root" -- /usr/bin/cat "$f"
	[ ! -s "$tmp/out" ] || [ "$f" = /proc/1/root/etc/passwd ] || fail "$f is reached: $(cat "$tmp/out")"
done
mkdir "$root/away"
run ashlar run --root "$root" -- /usr/bin/cat /etc/hostname
[ "$(cat "$tmp/out")" = name-of-the-export ] || fail "cat of the export"

# The same on a rack made by hand
cd "$tmp/work" || exit 1
rack_start 64M 2 "$root"
cd / || exit 1
run ashlar run --rack "$rack" -- /usr/bin/main
expect_status 0
diff "$tmp/want" "$tmp/out" || fail "not of the export, on a rack"
rm -f "$root/tmp/written"
passed
