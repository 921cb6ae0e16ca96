/*
 * Addresses of provider `ofi`: "ofi:PROV:HOST:PORT", "ofi:PROV:HOST:auto", "ofi:PROV:auto" (the loopback). HOST of IPv6
 * stands in brackets. A listener's name carries the address it is bound to, so it must be one that peers can reach.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net/ofi/ofi.h"

#define LOOPBACK "127.0.0.1"

struct place {
	char host[ADDR_BYTES], port[8];
};

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

static int port_parse(const char *s, bool listening, char port[8])
{
	unsigned long n = 0;

	if (listening && strcmp(s, "auto") == 0) {
		strcpy(port, "0");
		return 0;
	}
	if (!*s || strlen(s) > 5 || s[strspn(s, "0123456789")])
		return -EINVAL;
	n = strtoul(s, NULL, 10);
	if (!n || n > 65535)
		return -EINVAL;
	strcpy(port, s);
	return 0;
}

static int place_parse(const struct ofi_net *net, const char *addr, bool listening, struct place *p)
{
	const char *s = after_prefix(net, addr), *colon;
	size_t n;

	if (!s || strlen(addr) >= ADDR_BYTES)
		return -EINVAL;
	if (strcmp(s, "auto") == 0) {
		strcpy(p->host, LOOPBACK);
		return port_parse(s, listening, p->port);
	}
	colon = strrchr(s, ':');
	if (!colon || colon == s)
		return -EINVAL;
	n = (size_t)(colon - s);
	if (s[0] == '[') {
		if (n < 3 || s[n - 1] != ']')
			return -EINVAL;
		s++;
		n -= 2;
	} else if (memchr(s, ':', n)) {
		return -EINVAL;
	}
	memcpy(p->host, s, n);
	p->host[n] = '\0';
	return port_parse(colon + 1, listening, p->port);
}

int ofi_address_info(struct ofi_net *net, const char *addr, bool listening, struct fi_info **info)
{
	struct place p;
	int err = place_parse(net, addr, listening, &p);

	if (err)
		return err;
	if (ofi_lib.getinfo(FI_VERSION(1, 17), p.host, p.port, listening ? FI_SOURCE : 0, net->hints, info))
		return -ENOENT;
	return 0;
}

int ofi_address_name(struct ofi_net *net, const struct sockaddr *sa, char *out)
{
	char host[INET6_ADDRSTRLEN];
	int n;

	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *s6 = (const void *)sa;

		inet_ntop(AF_INET6, &s6->sin6_addr, host, sizeof(host));
		n = snprintf(out, ADDR_BYTES, "ofi:%s:[%s]:%u", net->prov, host, ntohs(s6->sin6_port));
	} else if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *s4 = (const void *)sa;

		inet_ntop(AF_INET, &s4->sin_addr, host, sizeof(host));
		n = snprintf(out, ADDR_BYTES, "ofi:%s:%s:%u", net->prov, host, ntohs(s4->sin_port));
	} else {
		return -EINVAL;
	}
	return n < (int)ADDR_BYTES ? 0 : -EINVAL;
}
