/* Addresses of fabrics that have hosts and ports: "HOST:PORT", "HOST:auto", "auto". HOST of IPv6 stands in brackets. */
#ifndef ASHLAR_NET_CORE_PLACE_H
#define ASHLAR_NET_CORE_PLACE_H
#include <stdbool.h>
#include <sys/socket.h>
#include "ashlar/base/limits.h"

struct net_place {
	char host[ADDR_BYTES], port[8]; /* port "0": any */
};

/* s: what follows the fabric's prefix, shorter than ADDR_BYTES; own: the host that "auto" alone stands for. 0, -EINVAL. */
int net_place_parse(const char *s, const char *own, bool listening, struct net_place *);
/* "PREFIX:HOST:PORT" into out of ADDR_BYTES. 0, -EINVAL. */
int net_place_name(const char *prefix, const struct sockaddr *, char *out);

#endif
