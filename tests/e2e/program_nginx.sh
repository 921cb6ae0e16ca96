#!/bin/bash
# nginx: two workers that share memory with their master, threads that read, sendfile, a proxy with its cache, new workers on
# SIGHUP, all in one tree with its clients, is as natively.
# timeout: 200
. "$(dirname "$0")/functions.sh"
requires nginx
port=$("$python" -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
chmod 755 "$tmp" . # root's workers become another user
mkdir www
"$python" -c 'import random
random.seed(7)
open("www/big", "wb").write(random.randbytes(2000000))'
echo hello >www/small
cat >nginx.conf <<END
daemon off;
worker_processes 2;
pid $PWD/pid;
error_log $PWD/errors warn;
events { worker_connections 200; }
http {
	access_log $PWD/requests;
	sendfile on;
	aio threads;
	client_body_temp_path $PWD/body;
	fastcgi_temp_path $PWD/fastcgi;
	uwsgi_temp_path $PWD/uwsgi;
	scgi_temp_path $PWD/scgi;
	proxy_temp_path $PWD/proxy;
	proxy_cache_path $PWD/cache keys_zone=zone:1m;
	server {
		listen 127.0.0.1:$port;
		root $PWD/www;
		location /proxy/ { proxy_pass http://127.0.0.1:$port/; proxy_cache zone; }
	}
}
END
cat >clients.py <<'END'
import hashlib, os, signal, subprocess, sys, threading, time, urllib.request

port = sys.argv[1]
server = subprocess.Popen(["nginx", "-c", os.path.abspath("nginx.conf"), "-p", os.getcwd()])

def get(path, **headers):
    with urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:%s/%s" % (port, path), headers=headers), timeout=60) as r:
        return r.status, hashlib.sha1(r.read()).hexdigest()

def up():
    for i in range(600):
        try:
            return get("small")
        except OSError:
            time.sleep(0.05)
    sys.exit("no server")

def many(n):
    got = []
    threads = [threading.Thread(target=lambda p=p: got.append((p, get(p)))) for p in ["small", "big", "proxy/big"] * n]
    for t in threads: t.start()
    for t in threads: t.join()
    for g in sorted(set(got)): print(*g)
    print(len(got), "answers")

up()
print(get("big", Range="bytes=100-1500000"))
many(4)
server.send_signal(signal.SIGHUP)
time.sleep(1)
many(4)
server.send_signal(signal.SIGQUIT)
print("ended", server.wait(60))
print(open("errors").read(), end="")
END
same_as_native 8M "$python" clients.py "$port"
has_line "$tmp/rack.out" '^ended 0$' || fail "it did not end well"
passed
