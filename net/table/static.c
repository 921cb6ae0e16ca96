/* The providers of a program that is linked statically and has an RDMA device: drivers and all are part of it. */
#include "net/core/provider.h"

const struct net_provider *const net_providers[] = {
	&net_provider_local,
	&net_provider_verbs,
	NULL,
};
