/* The providers that a dispatcher can open: it is linked statically and starts with every program, so no libraries. */
#include "net/core/provider.h"

const struct net_provider *const net_providers[] = {
	&net_provider_local,
	&net_provider_relay,
	NULL,
};
