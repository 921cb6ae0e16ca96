/*
 * The owner's side of net_owner.h: what it is asked, and how it does it, on any fabric. A process of its own or, on the
 * simulated fabric, a node of its own (net_sim.h).
 */
#ifndef ASHLAR_TESTS_NET_OWNER_SERVE_H
#define ASHLAR_TESTS_NET_OWNER_SERVE_H
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "ashlar/base/clock.h"
#include "ashlar/base/log.h"
#include "ashlar/base/loop.h"
#include "ashlar/net.h"

enum owner_op {
	OWNER_ECHO,  /* the message comes back */
	OWNER_ALLOC, /* arg bytes (flags 1: mapped, 2: in another protection domain), granted with access: key, region */
	OWNER_GRANT, /* region again, with access: key */
	OWNER_SEAL,
	OWNER_SHARE, /* region again (flags as OWNER_ALLOC), granted with access: key, region */
	OWNER_FREE,
	OWNER_PEEK,    /* byte at arg of a mapped region */
	OWNER_POKE,    /* set the bytes of a mapped region to flags */
	OWNER_PUSH,    /* grant arg regions without a word */
	OWNER_HANG_UP, /* close this connection */
	OWNER_FDS,     /* how many descriptors are open */
	OWNER_REFUSED, /* how many failures its fabric has counted */
	OWNER_FLOOD,   /* send arg messages of flags bytes */
};

struct owner_cmd {
	uint32_t op, access, flags, region;
	uint64_t arg;
};
struct owner_ans {
	int32_t err;
	uint32_t region;
	uint64_t value;
	struct net_key key;
};

#define OWNER_REGIONS 256

/* ---- the owner's process ---- */

struct owner_state {
	struct net *net;
	struct net_pd *pd, *other;
	struct net_mr *mr[OWNER_REGIONS];
	uint32_t n;
};
struct owner_client {
	struct net_conn *conn;
	struct owner_state *o;
	uint64_t flood_left;
	uint32_t flood_bytes, flood_seq;
};

static inline int net_open_tested(const char *provider, struct net_options *opt, struct net **net)
{
	char fabric[NAME_BYTES];

	opt->hook = strchr(provider, '+') ? strchr(provider, '+') + 1 : NULL;
	snprintf(fabric, sizeof(fabric), "%.*s", (int)strcspn(provider, "+"), provider);
	return net_open(fabric, opt, net);
}

static inline uint64_t fds_open(pid_t pid)
{
	char path[32];
	uint64_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static inline void owner_flood(struct owner_client *c)
{
	static uint8_t buf[MSG_BYTES_MAX];

	while (c->flood_left) {
		memset(buf, (int)(c->flood_seq & 0xff), c->flood_bytes);
		memcpy(buf, &c->flood_seq, 4);
		if (net_send(c->conn, buf, c->flood_bytes))
			return;
		c->flood_left--;
		c->flood_seq++;
	}
}

static inline int owner_alloc(struct owner_state *o, struct owner_client *c, const struct owner_cmd *cmd,
			      struct owner_ans *a)
{
	int err = 0;

	if (o->n == OWNER_REGIONS)
		return -ENOMEM;
	if (cmd->flags & 2 && !o->other)
		err = net_pd_open(o->net, &o->other);
	if (!err && cmd->op == OWNER_SHARE)
		err = net_mr_share(o->mr[cmd->region], cmd->flags & 2 ? o->other : o->pd, &o->mr[o->n]);
	else if (!err)
		err = net_mr_alloc(cmd->flags & 2 ? o->other : o->pd, cmd->arg, cmd->flags & 1, &o->mr[o->n]);
	if (err)
		return err;
	a->region = o->n++;
	return net_mr_grant(o->mr[a->region], c->conn, cmd->access, &a->key);
}

static inline int owner_do(struct owner_state *o, struct owner_client *c, const struct owner_cmd *cmd,
			   struct owner_ans *a)
{
	struct net_mr *mr = cmd->region < o->n ? o->mr[cmd->region] : NULL;
	int err = 0;

	switch ((enum owner_op)cmd->op) {
	case OWNER_ALLOC:
	case OWNER_SHARE:
		return owner_alloc(o, c, cmd, a);
	case OWNER_GRANT:
		return net_mr_grant(mr, c->conn, cmd->access, &a->key);
	case OWNER_SEAL:
		err = net_mr_seal(mr);
		return err ? err : net_mr_sealed(mr) ? 0 : -EINVAL;
	case OWNER_FREE:
		net_mr_free(mr);
		o->mr[cmd->region] = NULL;
		return 0;
	case OWNER_PEEK:
		a->value = ((uint8_t *)net_mr_addr(mr))[cmd->arg];
		return 0;
	case OWNER_POKE:
		memset(net_mr_addr(mr), (int)cmd->flags, cmd->arg);
		return 0;
	case OWNER_PUSH:
		for (uint64_t i = 0; i < cmd->arg && !err; i++)
			err = net_mr_grant(mr, c->conn, NET_READ, &a->key);
		return err;
	case OWNER_FDS:
		a->value = fds_open(getpid());
		return 0;
	case OWNER_REFUSED:
		a->value = net_stats(o->net)->failures;
		return 0;
	case OWNER_FLOOD:
		c->flood_left = cmd->arg;
		c->flood_bytes = cmd->flags;
		return 0;
	case OWNER_ECHO:
	case OWNER_HANG_UP:
		break;
	}
	return -EINVAL;
}

static inline void owner_message(void *arg, const void *buf, size_t len)
{
	struct owner_client *c = arg;
	struct owner_ans a = { 0 };
	struct owner_cmd cmd;

	if (len < sizeof(cmd) || ((const struct owner_cmd *)buf)->op == OWNER_ECHO) {
		if (net_send(c->conn, buf, len))
			log_error("echo of %zu bytes lost", len);
		return;
	}
	memcpy(&cmd, buf, sizeof(cmd));
	if (cmd.op == OWNER_HANG_UP) {
		net_conn_close(c->conn);
		free(c);
		return;
	}
	a.err = owner_do(c->o, c, &cmd, &a);
	if (net_send(c->conn, &a, sizeof(a)))
		log_error("answer lost");
	owner_flood(c);
}

static inline void owner_closed(void *arg, int err)
{
	struct owner_client *c = arg;

	net_conn_close(c->conn);
	free(c);
}

static inline void owner_writable(void *arg)
{
	owner_flood(arg);
}

static inline void owner_accepted(void *arg, struct net_conn *conn)
{
	static const struct net_conn_events events = { owner_message, owner_closed, owner_writable };
	struct owner_client *c = calloc(1, sizeof(*c));

	c->conn = conn;
	c->o = arg;
	if (net_conn_set_events(conn, &events, c))
		abort();
}

static inline void owner_main(const char *provider, int ready)
{
	static struct owner_state o;
	struct net_options opt = { 0 };
	struct net_listener *l;
	char addr[ADDR_BYTES];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(addr, sizeof(addr), "%.*s:auto", (int)strcspn(provider, "+"), provider);
	if (loop_open(&opt.loop) || net_open_tested(provider, &opt, &o.net) || net_pd_open(o.net, &o.pd) ||
	    net_listen(o.net, addr, owner_accepted, &o, &l))
		_exit(1);
	if (write(ready, net_listener_addr(l), ADDR_BYTES) != ADDR_BYTES)
		_exit(1);
	close(ready);
	loop_run(opt.loop);
	_exit(1);
}

#endif
