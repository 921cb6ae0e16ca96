#!/bin/bash
# Makes tests/fuzz/corpus.bin anew: runs programs on a rack whose monitors have the recorder (record.c) preloaded, and
# keeps a few different messages of each kind and direction. Needs `make all tests`.
#   tests/fuzz/record.sh
set -eu
cd "$(dirname "$0")/../.."
top=$PWD
b=${B:-build}
out=$top/tests/fuzz/corpus.bin
tmp=$(mktemp -d)
pids=()
the_end() {
	local p
	for p in ${pids[@]+"${pids[@]}"}; do kill -TERM "$p" 2>/dev/null || :; done
	wait
	rm -rf "$tmp"
}
trap the_end EXIT
gcc -shared -fPIC -O1 -D_GNU_SOURCE -Iinclude -I. -o "$tmp/record.so" tests/fuzz/record.c
export ASHLAR_RECORD=$tmp/traffic
addr=local:@fuzz-record-$$
part() { # program, options..
	LD_PRELOAD=$tmp/record.so "$b/bin/$1" "${@:2}" --ready-fd 9 9>"$tmp/ready-${#pids[@]}" &
	pids+=($!)
}
cp "$b/tests/programs/files" "$b/tests/programs/refill" "$b/tests/programs/walker" "$tmp" # no path of this machine
part gmm --listen "$addr"
part scomponent --gmm "$addr" --name s0 --root /
part mcomponent --gmm "$addr" --name m0 --size 96M
part mcomponent --gmm "$addr" --name m1 --size 96M
part pcomponent --gmm "$addr" --name p0 --excache 1G
ready() { # parts
	local i
	for i in "$@"; do
		for _ in $(seq 500); do
			[ -s "$tmp/ready-$i" ] && break
			sleep 0.01
		done
	done
}
ready "${!pids[@]}"
printf 'gmm = "%s"\n' "$addr" >"$tmp/rack"
mkdir "$tmp/work"
# The node daemon starts the programs: their environment is in the messages, so let there be none.
run() { (cd "$tmp/work" && env -i "$top/$b/bin/ashlar" run --rack "$tmp/rack" "$@") >"$tmp/out" 2>"$tmp/err" </dev/null || :; }
run --excache 4M -- /usr/bin/python3 -c 'x = [bytes([i % 251]) * 4096 for i in range(6000)]; print(sum(map(len, x)))'
run --excache 6M -- /usr/bin/python3 -c '
import os
x = [bytes([i % 251]) * 4096 for i in range(4000)]
for i in range(3):
    if not os.fork(): os._exit(sum(map(len, x)) % 7)
    os.wait()'
run --excache 8M -- "$tmp/files"
run --excache 8M -- "$tmp/refill" 3000 500 write 1 2
run --excache 64M -- /usr/bin/python3 -c '
import os, fcntl, shutil
os.mkdir("d"); open("d/a", "w").write("x" * 70000); os.rename("d/a", "d/b"); os.link("d/b", "d/c"); os.symlink("b", "d/l")
os.readlink("d/l"); os.stat("d/l"); os.listdir("d"); os.chmod("d/b", 0o600); os.utime("d/b"); os.truncate("d/b", 5)
f = open("d/b", "a+"); f.write("y"); f.flush(); os.fsync(f.fileno()); fcntl.flock(f, fcntl.LOCK_EX)
os.posix_fallocate(f.fileno(), 0, 4096); os.lseek(f.fileno(), 0, os.SEEK_END); os.statvfs("."); os.access("d", 4)
os.chown("d/b", os.getuid(), os.getgid())
if os.getuid() == 0: os.setegid(4712); os.seteuid(4711); os.access("d", 4); os.seteuid(0); os.setegid(0)
import array, socket
a, b = socket.socketpair(); a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [f.fileno()]))])
if not os.fork(): os._exit(0)
b.recvmsg(1, 64)
g = os.open("d/b", os.O_RDONLY)
if not os.fork():
    h = os.open("d/b", os.O_RDONLY); a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [h]))]); os._exit(0)
b.recvmsg(1, 64); os.wait(); os.wait()
os.chdir("d"); os.getcwd(); os.chdir(".."); os.sync(); shutil.rmtree("d")'
ashlar() { "$b/bin/ashlar" "$@" >>"$tmp/out" 2>&1 || :; }
ashlar rack status "$tmp/rack"
# What comes of a terminal, of signals, and of a gmm that ends while a program runs
cd "$tmp/work"
env -i "$top/$b/bin/ashlar" run --rack "$tmp/rack" --stats "$tmp/stats" -- /bin/cat <"$tmp/files" >"$tmp/copy" || :
script -qec "env -i $top/$b/bin/ashlar run --rack $tmp/rack -- /bin/cat /etc/hostname" /dev/null >"$tmp/copy" </dev/null || :
cd "$top"
run --excache 2M -- "$tmp/walker" 20 0 &
walker=$!
sleep 1
pid=$("$b/bin/ashlar" ps --rack "$tmp/rack" | awk 'NR == 2 { print $1 }')
ashlar kill --rack "$tmp/rack" -STOP "$pid"
ashlar kill --rack "$tmp/rack" -CONT "$pid"
kill -KILL "${pids[0]}"
part gmm --listen "$addr"
ready 5
sleep 2
ashlar ps --rack "$tmp/rack"
ashlar kill --rack "$tmp/rack" -TERM "$pid"
wait "$walker" || :
sleep 1.2 # heartbeats
python3 - "$tmp/traffic" "$out" <<'PY'
import struct, sys
data, at, kept, out = open(sys.argv[1], "rb").read(), 0, {}, []
while at < len(data):
    monitor, sent, n = struct.unpack_from("<BBH", data, at)
    message = data[at + 4:at + 4 + n]
    at += 4 + n
    if n < 40:
        continue
    msg, flags, err = struct.unpack_from("<HIi", message, 6)
    # One kind: same monitor, direction, message, outcome; of it ten that differ in more than the header
    kind = kept.setdefault((monitor, sent, msg, flags, err), {})
    if len(kind) < (10 if n < 1000 else 3) and message[40:] not in kind:
        kind[message[40:]] = 1
        out.append(struct.pack("<BBH", monitor, sent, n) + message)
open(sys.argv[2], "wb").write(b"".join(out))
print(len(out), "messages of", len(kept), "kinds,", sum(map(len, out)), "bytes")
PY
