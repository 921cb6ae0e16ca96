/*
 * Addresses of provider `verbs`: "verbs:HOST:PORT", "verbs:HOST:auto", "verbs:auto" (the device's own first IPv4 address).
 * HOST is a number, of IPv6 in brackets: looking up names would need libraries that a static program has not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "net/verbs/verbs.h"

#define PREFIX "verbs:"

int vb_address_parse(struct vb_net *net, const char *addr, bool listening, struct sockaddr_storage *sa)
{
	struct sockaddr_in *s4 = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)sa;
	const char *s = addr + strlen(PREFIX);
	char own[INET6_ADDRSTRLEN] = "";
	struct net_place p;
	in_port_t port;
	int err = 0;

	if (strlen(addr) >= ADDR_BYTES || strncmp(addr, PREFIX, strlen(PREFIX)) != 0)
		return -EINVAL;
	if (strcmp(s, "auto") == 0 && listening)
		err = vb_device_host(net, own, sizeof(own));
	if (!err)
		err = net_place_parse(s, own, listening, &p);
	if (err)
		return err;
	port = htons((uint16_t)atoi(p.port));
	memset(sa, 0, sizeof(*sa));
	if (inet_pton(AF_INET, p.host, &s4->sin_addr) == 1) {
		s4->sin_family = AF_INET;
		s4->sin_port = port;
	} else if (inet_pton(AF_INET6, p.host, &s6->sin6_addr) == 1) {
		s6->sin6_family = AF_INET6;
		s6->sin6_port = port;
	} else {
		return -EINVAL;
	}
	return 0;
}
