/*
 * The providers that a dispatcher can open: it is linked statically and starts with every program, so what it has must cost
 * nothing where it is not used, and load nothing.
 */
#include "net/core/provider.h"

const struct net_provider *const net_providers[] = {
	&net_provider_local,
	&net_provider_relay,
	&net_provider_verbs,
	NULL,
};
