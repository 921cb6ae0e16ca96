#!/bin/sh
# Rule: a make that goes on in an older build folder gives what a fresh one gives, whatever happened meanwhile: headers that
# change while the compiler runs, compilers that are killed, sources that go to another library or are deleted.
# Tried with our Makefile on a tree of a few lines.
cd "$(dirname "$0")/../.." || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cp Makefile "$dir" && cd "$dir" || exit 1
unset B CFLAGS CPPFLAGS LDFLAGS MAKEFLAGS MAKELEVEL MFLAGS
bad=0

fail() {
	echo "make: $*"
	bad=1
}

build() { make CC=./cc build/lib/libbase.a build/lib/libproto.a >log 2>&1; }

size() { printf 'struct s {\n\tint a[%s];\n};\n' "$1" >base/s.h; }

# is N: the object was made of a header that says so
is() {
	nm -S --radix=d build/lib/libbase.a 2>/dev/null | awk -v n="$(($1 * 4))" '$4 == "s" && $2 == n { ok = 1 } END { exit !ok }'
}

# The compiler, always by the same name; once, `next` says what befalls it.
cat >cc <<'END'
#!/bin/sh
next=$(cat next 2>/dev/null)
rm -f next
for out; do
	[ "$was" = -o ] && break
	was=$out
done
case $next in
killed) echo half >"$out" && kill -9 0 ;;
changes)
	gcc "$@" || exit
	printf 'struct s {\n\tint a[4];\n};\n' >base/s.h
	sleep 0.1 # time is the subject: the object is finished later than the header was changed
	touch "$out"
	;;
*) exec gcc "$@" ;;
esac
END
chmod +x cc

mkdir base proto
size 1
printf '#include "base/s.h"\nextern struct s s;\nstruct s s = { { 1 } };\n' >base/one.c
printf 'int two(void);\nint two(void)\n{\n\treturn 2;\n}\n' >base/two.c
build || fail "does not build: $(cat log)"
is 1 || fail "the object is not what its header says"

size 2
build
is 2 || fail "a header changed, and the object was not made again"

size 3
echo changes >next
build
build
is 4 || fail "a header changed while the compiler ran, and the object was never made again"

size 5
echo killed >next
setsid make CC=./cc build/lib/libbase.a >log 2>&1
build
is 5 || fail "a compiler that was killed left half an object behind"

mv base/two.c proto/two.c
build
nm build/lib/libbase.a 2>&1 | grep -q two && fail "libbase.a has an object whose source has gone to another library"
nm build/lib/libproto.a 2>&1 | grep -q two || fail "libproto.a lacks an object"
exit "$bad"
