/*
 * A process gets its place: X2G_RUN at the gmm, then D2P_ANNOUNCE at the node daemon that the gmm chose (for a program
 * that is our child; cli/remote.c does it for others). The connection to the daemon stays open: it is the process's life
 * line.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/size.h"
#include "ashlar/rpc.h"
#include "cli/run.h"

#define CONNECT_MS 10000u

int place_open(struct place *p, const char *fabric, const char *gmm, const char *node, const char *key)
{
	int err = fabric_check(fabric);

	p->gmm = p->daemon = NULL;
	snprintf(p->gmm_addr, sizeof(p->gmm_addr), "%s", gmm);
	if (!err && !net_address_fits(fabric_rack(fabric), gmm))
		err = cli_error("the address of the gmm, %s, is none of the fabric %s", gmm, fabric_rack(fabric));
	if (!err)
		err = fabric_open(p, fabric, node, key);
	if (err)
		return err;
	err = rpc_connect_sync(p->net, gmm, KIND_COMMAND, KIND_GMM, CONNECT_MS, &p->gmm);
	if (err) {
		p->gmm = NULL;
		return cli_error("cannot reach the gmm at %s: %s", gmm, strerror(-err));
	}
	return 0;
}

void place_close(struct place *p)
{
	if (p->daemon)
		rpc_close(p->daemon);
	if (p->gmm)
		rpc_close(p->gmm);
	p->daemon = p->gmm = NULL;
	fabric_close(p);
}

int rack_rows(struct rpc *gmm, struct rack_row *rows, uint32_t max, struct x2g_status_rep *rep)
{
	uint32_t n = 0;

	do {
		struct x2g_status_req req = { .first = n };
		struct rack_row page[MSG_TAIL_MAX / sizeof(struct rack_row)];
		uint32_t bytes = sizeof(page);
		int err = rpc_call_sync(gmm, X2G_STATUS, 0, 0, &req, NULL, 0, RPC_DEADLINE_MS, rep, page, &bytes);

		if (err)
			return err;
		if (rep->rows * sizeof(page[0]) != bytes || rep->rows > max - n)
			return -EPROTO;
		memcpy(rows + n, page, bytes);
		n += rep->rows;
	} while (rep->rows && n < rep->total);
	rep->rows = n;
	return 0;
}

/* The gmm said -ENODEV: which kind is it that is not there? */
static int say_missing(const struct place *p)
{
	static const enum wire_kind needed[] = { KIND_PROCESSOR, KIND_MEMORY, KIND_STORAGE };
	struct rack_row rows[RACK_COMPONENTS_MAX];
	struct x2g_status_rep rep;

	if (rack_rows(p->gmm, rows, RACK_COMPONENTS_MAX, &rep))
		return cli_error("the rack of %s lacks a component", p->gmm_addr);
	for (size_t k = 0; k < sizeof(needed) / sizeof(needed[0]); k++) {
		unsigned up = 0;

		for (uint32_t i = 0; i < rep.rows; i++)
			up += rows[i].kind == needed[k] && rows[i].state == RACK_UP;
		if (!up)
			return cli_error("the rack of %s has no %s component that is up", p->gmm_addr,
					 kind_name(needed[k]));
	}
	return cli_error("the rack of %s lacked a component just now", p->gmm_addr);
}

/* The gmm said -EHOSTDOWN: a component did not answer it, and should be known as silent by now. */
static int say_silent(const struct place *p)
{
	struct rack_row rows[RACK_COMPONENTS_MAX];
	struct x2g_status_rep rep;

	if (!rack_rows(p->gmm, rows, RACK_COMPONENTS_MAX, &rep))
		for (uint32_t i = 0; i < rep.rows; i++)
			if (rows[i].state == RACK_SILENT)
				return cli_error("the %s component %.*s of the rack of %s does not answer",
						 kind_name(rows[i].kind), NAME_BYTES - 1, rows[i].name, p->gmm_addr);
	return cli_error("a component of the rack of %s does not answer", p->gmm_addr);
}

static int say_refused(const struct place *p, const struct run_options *o, int err)
{
	char size[24];

	if (err == -ENODEV)
		return say_missing(p);
	if (err == -EHOSTDOWN)
		return say_silent(p);
	if (err == -ENOMEM && o->excache_bytes)
		return cli_error("the rack of %s cannot give the process an ExCache of %s and its memory", p->gmm_addr,
				 size_format(o->excache_bytes, size));
	if (err == -ENOMEM)
		return cli_error("the rack of %s has no memory left for the process", p->gmm_addr);
	if (err == -ETIMEDOUT)
		return cli_error("the gmm at %s does not answer", p->gmm_addr);
	return cli_error("the gmm at %s does not place the process: %s", p->gmm_addr, strerror(-err));
}

int place_announce(struct place *p)
{
	struct d2p_announce_req req = { .cap = p->cap, .pid = p->pid };
	struct d2p_announce_rep rep;
	int err = rpc_connect_sync(p->node, p->daemon_addr, KIND_COMMAND, KIND_PROCESSOR, CONNECT_MS, &p->daemon);

	if (err) {
		p->daemon = NULL;
		return cli_error("cannot reach pcomponent %s at %s: %s", p->daemon_name, p->daemon_addr,
				 strerror(-err));
	}
	err = rpc_call_sync(p->daemon, D2P_ANNOUNCE, p->pid, 0, &req, NULL, 0, RPC_DEADLINE_MS, &rep, NULL, NULL);
	if (err)
		return cli_error("pcomponent %s does not take the process: %s", p->daemon_name, strerror(-err));
	p->excache_bytes = rep.excache_bytes;
	return 0;
}

int place_process(struct place *p, const struct run_options *o)
{
	struct x2g_run_req req = {
		.excache_bytes = o->excache_bytes, .uid = getuid(), .gid = getgid(), .weight = o->weight
	};
	struct x2g_run_rep rep;
	int err = rpc_call_sync(p->gmm, X2G_RUN, 0, 0, &req, NULL, 0, RPC_DEADLINE_MS, &rep, NULL, NULL);

	if (err)
		return say_refused(p, o, err);
	p->cap = rep.cap;
	p->pid = rep.pid;
	snprintf(p->daemon_addr, sizeof(p->daemon_addr), "%.*s", ADDR_BYTES - 1, rep.p_addr);
	snprintf(p->daemon_name, sizeof(p->daemon_name), "%.*s", NAME_BYTES - 1, rep.p_name);
	return 0;
}
