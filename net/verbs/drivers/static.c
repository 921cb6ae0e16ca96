/*
 * For programs linked with libibverbs.a, where nothing is loaded later: the drivers are part of the program, those of
 * soft-RoCE and of ConnectX-4 and later. This must come before any other look for devices, librdmacm's included.
 */
#define RDMA_STATIC_PROVIDERS rxe, mlx5
#include "net/verbs/verbs.h"

void vb_drivers(void)
{
	static bool said;

	if (!said)
		ibv_static_providers(NULL, _RDMA_STATIC_PREFIX(RDMA_STATIC_PROVIDERS), NULL);
	said = true;
}
