/*
 * Addresses of provider `ofi`: "ofi:PROV:HOST:PORT", "ofi:PROV:HOST:auto", "ofi:PROV:auto" (the loopback). HOST of IPv6
 * stands in brackets. A listener's name carries the address it is bound to, so it must be one that peers can reach.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "net/ofi/ofi.h"

#define LOOPBACK "127.0.0.1"

/* What follows "ofi:PROV:" of this net; "ofi:auto" stands for any. NULL: another fabric's. */
static const char *after_prefix(const struct ofi_net *net, const char *addr)
{
	size_t n = strlen(net->prov);

	if (strcmp(addr, "ofi:auto") == 0)
		return addr + 4;
	if (strncmp(addr, "ofi:", 4) != 0 || strncmp(addr + 4, net->prov, n) != 0 || addr[4 + n] != ':')
		return NULL;
	return addr + 4 + n + 1;
}

static int place_parse(const struct ofi_net *net, const char *addr, bool listening, struct net_place *p)
{
	const char *s = after_prefix(net, addr);

	if (!s || strlen(addr) >= ADDR_BYTES)
		return -EINVAL;
	return net_place_parse(s, LOOPBACK, listening, p);
}

int ofi_address_info(struct ofi_net *net, const char *addr, bool listening, struct fi_info **info)
{
	struct net_place p;
	int err = place_parse(net, addr, listening, &p);

	if (err)
		return err;
	if (ofi_lib.getinfo(FI_VERSION(1, 17), p.host, p.port, listening ? FI_SOURCE : 0, net->hints, info))
		return -ENOENT;
	return 0;
}

int ofi_address_name(struct ofi_net *net, const struct sockaddr *sa, char *out)
{
	char prefix[NAME_BYTES + 8];

	snprintf(prefix, sizeof(prefix), "ofi:%s", net->prov);
	return net_place_name(prefix, sa, out);
}
