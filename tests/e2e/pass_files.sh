#!/bin/bash
# Descriptors of files in messages (tests/abi/pass_files.c has what Linux promises): between trees they do not go, and say
# so; messages that nobody reads leave nothing behind; an end of the storage component costs those on their way, no others.
# timeout: 120
. "$(dirname "$0")/functions.sh"
rack_noise=yes
rack_start 64M 2

cat >"$tmp/work/send.py" <<'END'
import array, os, socket, sys
SCM = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
def send(sock, *fds): sock.sendmsg([b"x"], [SCM + (array.array("i", fds),)])
def recv(sock):
    data, control, flags, _ = sock.recvmsg(1, socket.CMSG_SPACE(4 * 8))
    fds = array.array("i")
    for _, _, more in control: fds.frombytes(more)
    return list(fds), bool(flags & socket.MSG_CTRUNC)
END

cat >"$tmp/work/here.py" <<'END'
from send import *
l = socket.socket(socket.AF_UNIX)
l.bind("door"); l.listen()
print("listens", flush=True)
s, _ = l.accept()
f = os.open("file", os.O_RDWR | os.O_CREAT)
r, w = os.pipe()
send(s, w); send(s, w, f, w); send(s, f)
assert os.read(r, 1) == b"1"
os.write(f, b"mine")
print("end")
END

cat >"$tmp/work/there.py" <<'END'
from send import *
s = socket.socket(socket.AF_UNIX)
s.connect("door")
(w,), cut = recv(s)
assert not cut
before = len(os.listdir("/proc/self/fd"))
fds, cut = recv(s)
assert len(fds) == 1 and cut, (fds, cut)    # what came before the file stays
fds, cut = recv(s)
assert not fds and cut, (fds, cut)
assert len(os.listdir("/proc/self/fd")) == before + 1
os.write(w, b"1")
print("end")
END
start run --rack "$rack" -- "$python" here.py
wait_for 20 has_line "$tmp/out" listens || fail "no start: $(cat "$tmp/err")"
ASHLAR_TEST_MARK=$mark "$bin/ashlar" run --rack "$rack" -- "$python" there.py >"$tmp/there" 2>&1
[ "$(cat "$tmp/there")" = end ] || fail "the other tree: $(cat "$tmp/there")"
wait_status "$command" 20
expect_status 0
[ "$(cat file)" = mine ] || fail "the file is not as it was"

# More than may be on their way at once, never read; then dropped with their socket
cat >"$tmp/work/drop.py" <<'END'
from send import *
import errno
pairs = [socket.socketpair() for i in range(20)]
n = 0
try:
    while n < 2000:
        f = os.open("file", os.O_RDONLY)
        send(pairs[n // 100][0], f)
        os.close(f)
        n += 1
except OSError as e:
    assert e.errno == errno.ETOOMANYREFS, e
print(n)
f = os.open("file", os.O_RDONLY)
assert recv(pairs[0][1])[1] is False
send(pairs[19][0], f)                       # room again
END
run ashlar run --rack "$rack" -- "$python" drop.py
expect_status 0
[ "$(cat "$tmp/out")" -eq 1024 ] || fail "$(cat "$tmp/out") were on their way"
expect_freed "a program that sent and never read"

# The storage component ends while one is on its way, and the other is known to both
cat >"$tmp/work/lost.py" <<'END'
from send import *
a, b = socket.socketpair()
f = os.open("file", os.O_RDWR)
if os.fork():
    known, _ = recv(b)
    assert os.read(known[0], 2) == b"mi"
    lost = os.open("file", os.O_RDONLY)
    send(a, lost)
    os.close(lost)
    print("go", flush=True)
    input()
    os.write(known[0], b"ND")               # waits until it is back
    assert recv(b) == ([], True)
    send(a, known[0])
    os.close(known[0])
    again, cut = recv(b)
    os.lseek(again[0], 0, 0)
    assert os.read(again[0], 9) == b"miND" and not cut
    print(os.wait()[1])
else:
    send(a, f)
END
mkfifo "$tmp/go"
exec 7<>"$tmp/go"
input=$tmp/go
start run --rack "$rack" -- "$python" lost.py
wait_for 20 has_line "$tmp/out" go || fail "no start: $(cat "$tmp/err")"
kill -KILL "$storage"
wait_for 2 ended "$storage"
rack_storage
echo >&7
wait_status "$command" 40
expect_status 0
[ "$(tail -n 1 "$tmp/out")" = 0 ] || fail "said: $(cat "$tmp/out" "$tmp/err")"
expect_freed "a tree whose storage ended"
passed
