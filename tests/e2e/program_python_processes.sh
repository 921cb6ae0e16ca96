#!/bin/bash
# python3 with subprocess, multiprocessing, threads, mmap and signals, with less memory than it takes: as natively.
# timeout: 300
. "$(dirname "$0")/functions.sh"
cat >"$tmp/work.py" <<'END'
import concurrent.futures, mmap, multiprocessing as mp, os, signal, subprocess, sys, tempfile, threading, time

def square(x):
    data = [x] * 20000
    return sum(data) * x // 20000

def child(q, n):
    big = {i: str(i) * 3 for i in range(20000)}
    q.put((n, len(big), big[n]))

if __name__ == "__main__":
    held = {i: "value %d" % i for i in range(60000)}
    print(subprocess.run(["tr", "a-z", "A-Z"], input="by a pipe", text=True, capture_output=True).stdout)
    print(subprocess.run("exit 7", shell=True).returncode, subprocess.call(["false"]))
    try:
        subprocess.run(["/no/such/program"])
    except FileNotFoundError as e:
        print("not found", e.errno)
    with mp.get_context("fork").Pool(3) as pool:
        print(pool.map(square, range(12)))
    q = mp.Queue()
    ps = [mp.Process(target=child, args=(q, n)) for n in (5, 6)]
    [p.start() for p in ps]
    print(sorted(q.get() for _ in ps))
    [p.join() for p in ps]
    print([p.exitcode for p in ps])
    with concurrent.futures.ProcessPoolExecutor(2, mp.get_context("spawn")) as ex:
        print(list(ex.map(square, [3, 4])))
    m = mmap.mmap(-1, 4096)
    if os.fork() == 0:
        m[:5] = b"child"
        os._exit(3)
    print(os.waitstatus_to_exitcode(os.wait()[1]), m[:5])
    got = []
    signal.signal(signal.SIGALRM, lambda s, f: got.append(s))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(0.2)
    signal.signal(signal.SIGCHLD, lambda s, f: got.append(s))
    subprocess.run(["true"])
    print(got)
    t = [threading.Thread(target=subprocess.run, args=(["sleep", "0.05"],)) for _ in range(4)]
    [x.start() for x in t]
    [x.join() for x in t]
    with tempfile.TemporaryFile() as f:
        f.write(b"x" * 100000)
        f.flush()
        if os.fork() == 0:
            os.lseek(f.fileno(), 5, os.SEEK_SET)
            os._exit(0)
        os.wait()
        print(f.tell() >= 5, os.lseek(f.fileno(), 0, os.SEEK_CUR))
    print(sum(len(v) for v in held.values()))
    sys.exit(4)
END
for excache in 12M 512M; do
	same_as_native "$excache" "$python" "$tmp/work.py"
done
passed
