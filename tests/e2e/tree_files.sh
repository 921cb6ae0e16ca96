#!/bin/bash
# Files of processes that come of each other: offsets and flags are one, locks and FIFOs are between them, what exec keeps
# and what it closes. All is as natively, run in a folder of its own both times.
# timeout: 180
. "$(dirname "$0")/functions.sh"
requires flock git make

cat >"$tmp/shell.sh" <<'END'
rm -rf a && mkdir a && cd a || exit 1
(for i in 1 2 3 4; do (for j in 1 2 3 4 5; do echo "$i$j"; done) & done; wait) >one
sort -u one | wc -l; wc -c <one
for i in 1 2 3 4; do (for j in 1 2 3 4 5; do echo "$i$j"; done >>all) & done; wait
sort all | wc -l
exec 5<one 6>two
(read -r -u 5 _; echo child >&6); echo parent >&6; read -r -u 5 x; echo ${#x}
/bin/echo program >&6; exec 6>&-; cat two
cat <(seq 3) <(seq 2); seq 4 > >(cat; : >done); until [ -e done ]; do sleep 0.01; done
cat /dev/fd/7 7<two; echo through | cat /dev/stdin
mkfifo p; cat p >o & echo data >p; wait; cat o; stat -c %F p; [ -p p ] && rm p
(flock 9; flock -n two echo other; flock -n one echo nested || echo locked) 9>two
flock one sh -c 'flock -n one echo twice || echo once'
cat <<X
here $((1 + 2))
X
mkdir -p d/e; (cd d/e && pwd | sed 's,.*/a/,,'); cd d && cd ../d/e && cd - >/dev/null && ls; cd ..
sleep 7 & until grep -q sleep "/proc/$!/cmdline"; do sleep 0.01; done; tr '\0' ' ' <"/proc/$!/cmdline"; kill $!
END
same_as_native 8M bash "$tmp/shell.sh"

cat >"$tmp/files.py" <<'END'
import fcntl, os, socket, subprocess, sys
f = os.open("shared", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.write(f, b"0123456789"); os.lseek(f, 2, 0)
def child(fn):
    pid = os.fork()
    if not pid:
        try: fn()
        except OSError as e: print("errno", e.errno)
        sys.stdout.flush(); os._exit(0)
    os.waitpid(pid, 0)
def reads():
    print(os.read(f, 3)); fcntl.fcntl(f, fcntl.F_SETFL, os.O_APPEND)
child(reads)
print(os.read(f, 2), bool(fcntl.fcntl(f, fcntl.F_GETFL) & os.O_APPEND))
fcntl.lockf(f, fcntl.LOCK_EX, 4, 0)
child(lambda: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 3))
child(lambda: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 4))
os.close(os.dup(f))
child(lambda: fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 3))
os.set_inheritable(f, True)
os.lseek(f, 4, 0)
print(subprocess.run([sys.executable, "-c", "import os; print(os.read(%d, 3))" % f], close_fds=False, capture_output=True).stdout)
print(os.read(f, 1))
r, w = os.pipe(); a, b = socket.socketpair()
socket.send_fds(a, [b"x"], [w]); os.write(socket.recv_fds(b, 1, 1)[1][0], b"sent"); print(os.read(r, 9))
os.lseek(f, 0, 0); print(os.splice(f, w, 4), os.read(r, 9)); fcntl.fcntl(f, fcntl.F_SETFL, 0)
os.write(w, b"AB"); print(os.splice(r, f, 10, offset_dst=1), os.pread(f, 20, 0))
END
same_as_native 16M "$python" "$tmp/files.py"

cat >"$tmp/build.sh" <<'END'
rm -rf b && mkdir b && cd b || exit 1
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='1 +0000' GIT_COMMITTER_DATE='1 +0000'
git init -q r && cd r && git config user.email a@b && git config user.name n
printf 'all: x y z\nx y z:\n\techo $@ >>log; echo $@ >$@\n' >Makefile
make -s -j2 && sort log && cat x y z
git add . && git commit -qm one && echo 2 >>x && git commit -qam two && git log --oneline && git status -s
cd .. && git clone -q r r2 && cat r2/x && cd r2 && git gc -q && git fsck && git log --format=%s
END
same_as_native 32M bash "$tmp/build.sh"
passed
