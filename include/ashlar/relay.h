/*
 * Relay: how the programs of a machine reach a rack whose fabric cannot live in their processes. The node daemon opens
 * the fabric and keeps endpoints and keys; dispatchers and commands reach it by the provider "relay" (net.h), over
 * sockets of this machine. Memory of transfers is shared, so bytes are moved once, by the fabric itself.
 *
 * Trust: nobody who connects is trusted. What a client names must be its own; what is malformed, or more than its
 * credits, ends the client with a line in the log that names its process. Messages pass unread, keys in them too: what
 * protects memory is the peer, which ties a key to the connection it was granted on, and that lies here.
 *
 * Order (for each component of the rack that is reached): a class goes before all less urgent ones; within a class
 * processes take turns, each RELAY_QUANTUM bytes times its weight / WEIGHT_DEFAULT, however many threads and connections
 * they have. Transfers are cut into pieces of RELAY_CHUNK bytes. At most RELAY_WINDOW bytes are with the fabric at a time, of them at most RELAY_LOWER of
 * the classes below demand. So a demand read of 4 KB waits on the fabric behind at most RELAY_LOWER bytes of lower classes
 * and RELAY_WINDOW in all, and before that for one turn of each other process that wants the same component. After
 * RELAY_TRICKLE bytes of more urgent ones, one piece of a class that waits goes first, so that none starves.
 */
#ifndef ASHLAR_RELAY_H
#define ASHLAR_RELAY_H
#include "ashlar/net.h"

#define RELAY_CHUNK (32u << 10)
#define RELAY_QUANTUM (32u << 10)
#define RELAY_WINDOW (256u << 10)
#define RELAY_LOWER (64u << 10)
#define RELAY_TRICKLE (256u << 10)

struct relay;

/* Counters, as of now. */
struct relay_stats {
	uint32_t clients, connections, regions, remotes;
	uint64_t region_bytes;
	uint64_t transfers, bytes[NET_CLASSES], cut; /* cut: clients that were ended for a breach */
};

/*
 * Serve at addr of the local net `node`, for the fabric `rack`; both have this loop. Whoever `local` lets in may use it:
 * processes of the same user, and root. *out is the caller's. 0 or -errno.
 */
int relay_open(struct loop *, struct net *node, struct net *rack, const char *addr, struct relay **out);
void relay_close(struct relay *); /* ends all clients */
/*
 * Connections that process host_pid of this machine begins from now on are those of process pid of the rack, and take its
 * turns, by weight (1 to WEIGHT_MAX). Who is not charged is a process by itself, of WEIGHT_DEFAULT. The last one said
 * holds. -ENOMEM: as before.
 */
int relay_charge(struct relay *, int32_t host_pid, uint32_t pid, uint32_t weight);
void relay_uncharge(struct relay *, int32_t host_pid); /* it is over; harmless when it is not charged */
void relay_stats(const struct relay *, struct relay_stats *);

/* Where the relay of the node daemon at `node` listens: out has ADDR_BYTES. 0 or -EINVAL (too long). */
int relay_address(const char *node, char *out);

#endif
