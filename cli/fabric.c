/*
 * Fabrics as the command sees them. Where the rack's is not `local` it is reached by the relay of this machine's node
 * daemon, which has opened it already; only where no daemon answers the command opens it itself, which takes longer.
 * "relay:NAME" is the fabric NAME with a relay even where none is needed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ashlar/base/secret.h"
#include "ashlar/net.h"
#include "ashlar/relay.h"
#include "cli/run.h"

#define FORCED "relay:"

const char *fabric_rack(const char *fabric)
{
	return strncmp(fabric, FORCED, sizeof(FORCED) - 1) == 0 ? fabric + sizeof(FORCED) - 1 : fabric;
}

bool fabric_relayed(const char *fabric)
{
	return strcmp(fabric, "local") != 0;
}

int fabric_check(const char *fabric)
{
	const char *rack = fabric_rack(fabric);

	if (strlen(fabric) < NAME_BYTES && net_fabric_known(rack) && strcmp(rack, "relay") != 0)
		return 0;
	return cli_error("there is no fabric %s in this build", fabric);
}

static int relay_open_net(const char *node, int fd_floor, struct net **out)
{
	char relay[ADDR_BYTES];
	struct net_options options = { .fd_floor = fd_floor, .relay = relay };

	if (relay_address(node, relay))
		return -EINVAL;
	return net_open("relay", &options, out);
}

int fabric_open(struct place *p, const char *fabric, const char *node, const char *key)
{
	struct net_options options = { .fd_floor = fd_high_floor() };
	struct secret secret;
	int err = net_open("local", &options, &p->node);

	p->net = p->node;
	if (err) {
		p->net = p->node = NULL;
		return cli_error("the fabric local cannot be opened: %s", strerror(-err));
	}
	if (fabric_relayed(fabric) && *node) {
		err = relay_open_net(node, options.fd_floor, &p->net);
		if (!err)
			return 0;
		p->net = p->node;
		if (err != -ECONNREFUSED && err != -ENOENT)
			return cli_error("the node daemon of this machine, at %s, does not answer: %s", node,
					 strerror(-err));
	}
	fabric = fabric_rack(fabric);
	if (strcmp(fabric, "local") == 0)
		return 0;
	if (*key) {
		err = secret_read(key, &secret);
		if (err)
			return cli_error("the rack's key, %s: %s", key,
					 err == -EINVAL ? "this is no key" : strerror(-err));
		options.secret = &secret;
	}
	options.fd_floor =
		0; /* libraries choose their numbers; no program starts without a daemon, so none meets them */
	err = net_open(fabric, &options, &p->net);
	if (!err)
		return 0;
	p->net = p->node;
	return cli_error("the fabric %s cannot be opened: %s", fabric, strerror(-err));
}

void fabric_close(struct place *p)
{
	if (p->net && p->net != p->node)
		net_close(p->net);
	if (p->node)
		net_close(p->node);
	p->net = p->node = NULL;
}
