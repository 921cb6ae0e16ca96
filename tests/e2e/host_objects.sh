#!/bin/bash
# Pipes, sockets, timers and epoll with buffers that were evicted: no byte and no datagram is lost.
. "$(dirname "$0")/functions.sh"
for excache in 1M 2M 1G; do
	same_as_native $excache "$programs/hostthings"
done
passed
