/*
 * forged ADDR KIND: comes to a monitor at ADDR, of a rack with a key, as a dispatcher of a process that there is not, with
 * capabilities that it makes up, until the monitor has enough; then as a component and as a command without the rack's
 * key. KIND: what listens there, memory or gmm. Prints "refused" and ends with 0 when all of it was turned away.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/rpc.h"

static int failed(const char *what, int err)
{
	fprintf(stderr, "forged: %s: %s\n", what, err ? strerror(-err) : "it was let in");
	return 1;
}

/* 0: every capability was refused, and at last the connection. */
static int as_dispatcher(struct net *net, const char *addr)
{
	struct p2m_hello_req req = { .pid = 4711 };
	struct p2m_hello_rep rep;
	struct rpc *r;
	int err = rpc_connect_sync(net, addr, KIND_DISPATCHER, KIND_MEMORY, 5000, &r);

	if (err)
		return failed("no connection as a dispatcher", err);
	for (unsigned i = 0; i < RPC_REFUSALS_MAX; i++) {
		req.cap.w[0] = i;
		err = rpc_call_sync(r, P2M_HELLO, req.pid, 0, &req, NULL, 0, 5000, &rep, NULL, NULL);
		if (err != -EACCES && err != -EPIPE)
			return failed("a made-up capability", err);
	}
	err = rpc_call_sync(r, P2M_HELLO, req.pid, 0, &req, NULL, 0, 5000, &rep, NULL, NULL);
	rpc_close(r);
	return err == -EPIPE ? 0 : failed("one more made-up capability", err);
}

/* Without the key: hellos cross, then the monitor closes, so that the first call fails. */
static int without_key(struct net *net, const char *addr, enum wire_kind kind, enum wire_kind there)
{
	struct x2g_status_req req = { 0 };
	struct x2g_status_rep rep;
	struct rpc *r;
	int err = rpc_connect_sync(net, addr, kind, there, 5000, &r);

	if (err)
		return 0;
	err = rpc_call_sync(r, X2G_STATUS, 0, 0, &req, NULL, 0, 3000, &rep, NULL, NULL);
	rpc_close(r);
	return err == -EPIPE ? 0 : failed(kind_name(kind), err);
}

int main(int argc, char **argv)
{
	struct net_options options = { 0 };
	enum wire_kind there = argc > 2 && strcmp(argv[2], "gmm") == 0 ? KIND_GMM : KIND_MEMORY;
	struct net *net;

	log_open("forged", LOG_ERROR);
	if (argc != 3 || net_open("verbs", &options, &net))
		return 2;
	if (there == KIND_MEMORY && as_dispatcher(net, argv[1]))
		return 1;
	if (without_key(net, argv[1], KIND_COMMAND, there) || without_key(net, argv[1], KIND_MEMORY, there))
		return 1;
	printf("refused\n");
	return 0;
}
