/* Whose turn it is among classes of traffic, for both directions of rpc; see rpc_impl.h. */
#include "net/core/rpc_impl.h"

enum net_class rpc_turn(unsigned able, unsigned waiting, unsigned *passed)
{
	enum net_class turn = (enum net_class)__builtin_ctz(able);

	for (unsigned i = turn + 1u; i < NET_CLASSES; i++)
		if (able & 1u << i && passed[i] >= RPC_PASSED_MAX) {
			turn = (enum net_class)i;
			break;
		}
	for (unsigned i = 0; i < NET_CLASSES; i++) {
		if (i == turn || !(waiting & 1u << i))
			passed[i] = 0;
		else if (i > turn)
			passed[i]++;
	}
	return turn;
}

unsigned rpc_credits_of(unsigned max, enum net_class class)
{
	unsigned kept = max / 4 < RPC_CREDITS_KEPT ? max / 4 : RPC_CREDITS_KEPT;

	return max - class * kept;
}
