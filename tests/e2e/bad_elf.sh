#!/bin/bash
# Images that are not of this machine, cut off or damaged: one clear line and 126, or the end of the program by a signal as
# natively; never a hang, a crash of ours, or anything left.
# also: asan
# timeout: 200
. "$(dirname "$0")/functions.sh"
rack_start 64M 1
true=$programs/ending # dynamic, with an interpreter
make_elf() { # file, then python statements that change `b`, a bytearray of the program
	"$python" - "$true" "$@" <<'END'
import struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
def u16(at, v): b[at:at + 2] = struct.pack("<H", v)
def u32(at, v): b[at:at + 4] = struct.pack("<I", v)
def u64(at, v): b[at:at + 8] = struct.pack("<Q", v)
phoff = struct.unpack_from("<Q", b, 32)[0]
def ph(kind):
    for i in range(struct.unpack_from("<H", b, 56)[0]):
        at = phoff + 56 * i
        if struct.unpack_from("<I", b, at)[0] == kind:
            return at
exec(sys.argv[3])
open(sys.argv[2], "wb").write(b)
END
	chmod 755 "$1"
}
refused() {
	make_elf "$1" "$2"
	run timeout 20 "$bin/ashlar" run --rack "$rack" -- "./$1" exit 3
	expect_status 126
	expect_one_line "^ashlar: .*$1"
	cat "$tmp/err"
	rm "$1"
}
refused 32-bit 'b[4] = 1'
refused foreign-machine 'u16(18, 183)' # aarch64
refused i386 'b[4] = 1; u16(18, 3)'
refused big-endian 'b[5] = 2'
refused core-file 'u16(16, 4)'
refused object-file 'u16(16, 1)'
refused no-header 'del b[4:]'
refused half-a-header 'del b[40:]'
refused no-program-headers 'del b[64:]'
refused headers-far-away 'u64(32, 1 << 40)'
refused headers-overflow 'u64(32, 2 ** 64 - 8)'
refused header-size 'u16(54, 8)'
refused no-headers-at-all 'u16(56, 0)'
refused many-headers 'u16(56, 65535)'
refused segment-overflow 'u64(ph(1) + 16, 2 ** 64 - 4096)'
refused segment-in-the-kernel 'u64(ph(1) + 16, 0xffff800000000000)'
refused segment-huge 'u64(ph(1) + 40, 1 << 62)'
refused file-part-larger 'u64(ph(1) + 32, 1 << 30); u64(ph(1) + 40, 1 << 20)'
refused interpreter-name-cut 'u64(ph(3) + 32, 1 << 40)'
refused interpreter-unterminated 'o = struct.unpack_from("<Q", b, ph(3) + 8)[0]; n = struct.unpack_from("<Q", b, ph(3) + 32)[0]; b[o:o + n] = b"x" * n'

# An interpreter that is not there: as a script's. One that is no program: refused.
make_elf no-interpreter 'o = struct.unpack_from("<Q", b, ph(3) + 8)[0]; b[o:o + 6] = b"/absen"'
run ashlar run --rack "$rack" -- ./no-interpreter
[ "$status" -eq 127 ] || [ "$status" -eq 126 ] || fail "an absent interpreter: status $status, $(cat "$tmp/err")"
expect_one_line '^ashlar: '
make_elf bad-interpreter 'o = struct.unpack_from("<Q", b, ph(3) + 8)[0]; b[o:o + 12] = b"/etc/passwd\0"'
run ashlar run --rack "$rack" -- ./bad-interpreter
expect_status 126
expect_one_line '^ashlar: '
rm no-interpreter bad-interpreter

# An image without an interpreter whose entry leads nowhere dies of it, as natively.
make_elf entry-nowhere 'u64(24, 0x10); u32(ph(3), 0)'
ulimit -c 0
same_as_native 1G ./entry-nowhere
rm entry-nowhere

# Cut off anywhere, and damaged anywhere in the headers: it ends, whatever way, and the rack lives on.
n=0
for at in $(seq 16 8 1200) 4096 8192 12000; do
	make_elf damaged "at = $at; b[at] ^= 0xff; b[at + 3] ^= 0x81"
	{ run timeout -s KILL 10 "$bin/ashlar" run --rack "$rack" -- ./damaged exit 3 </dev/null; } 2>/dev/null
	[ "$status" -ne 137 ] || fail "damaged at $at: it hangs"
	! grep -qiE 'bug:|dispatcher fault' "$tmp/err" || fail "damaged at $at: $(cat "$tmp/err")"
	n=$((n + 1))
done
for length in 64 100 500 1000 4096 5000 8192; do
	make_elf cut "del b[$length:]"
	{ run timeout -s KILL 10 "$bin/ashlar" run --rack "$rack" -- ./cut exit 3 </dev/null; } 2>/dev/null
	[ "$status" -ne 137 ] && [ "$status" -ne 3 ] || fail "cut after $length: status $status"
	n=$((n + 1))
done
rm damaged cut
echo "$n damaged or cut images"
run ashlar run --rack "$rack" -- "$true" exit 3
expect_status 3
expect_freed "all of them"
passed
