/* Hosts and ports in addresses: see place.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net/core/place.h"

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

int net_place_parse(const char *s, const char *own, bool listening, struct net_place *p)
{
	const char *colon;
	size_t n;

	if (strcmp(s, "auto") == 0) {
		snprintf(p->host, sizeof(p->host), "%s", own);
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

int net_place_name(const char *prefix, const struct sockaddr *sa, char *out)
{
	char host[INET6_ADDRSTRLEN];
	int n;

	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *s6 = (const void *)sa;

		inet_ntop(AF_INET6, &s6->sin6_addr, host, sizeof(host));
		n = snprintf(out, ADDR_BYTES, "%s:[%s]:%u", prefix, host, ntohs(s6->sin6_port));
	} else if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *s4 = (const void *)sa;

		inet_ntop(AF_INET, &s4->sin_addr, host, sizeof(host));
		n = snprintf(out, ADDR_BYTES, "%s:%s:%u", prefix, host, ntohs(s4->sin_port));
	} else {
		return -EINVAL;
	}
	return n < (int)ADDR_BYTES ? 0 : -EINVAL;
}
