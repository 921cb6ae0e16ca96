/* The providers that monitors, commands and tests can open. */
#include "net/core/provider.h"

const struct net_provider *const net_providers[] = {
	&net_provider_local, &net_provider_relay, &net_provider_ofi, &net_provider_verbs, NULL,
};
