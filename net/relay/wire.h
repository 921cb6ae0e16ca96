/*
 * What passes between a client of the relay (a dispatcher, a command) and the daemon that serves it. All of it stays on
 * one machine, in sockets of type seqpacket, and dies with either side. Three kinds of socket:
 *
 *   session   the client connects it. One relay_ask at a time, each answered by one relay_answer, which may carry a
 *             descriptor; but RELAY_REMOTE_CLOSE and RELAY_MR_FREE have no answer.
 *   message   made by the daemon for a connection on the rack's fabric: one datagram is one message, verbatim, nothing
 *             around it. Its end is the end of that connection, from either side.
 *   data      made by the daemon for a net_data: relay_io towards it, relay_done back, at most RELAY_DEPTH under way.
 *
 * Memory of transfers is a region (RELAY_MR) that the daemon has allocated and registered on the rack's fabric, and that
 * the client maps: a transfer names it by number and moves nothing between the two.
 */
#ifndef ASHLAR_NET_RELAY_WIRE_H
#define ASHLAR_NET_RELAY_WIRE_H
#include <stddef.h>
#include "ashlar/net.h"

#define RELAY_DEPTH 16u /* transfers of one net_data under way */
#define RELAY_ID_NONE UINT32_MAX

#define RELAY_VERSION 1u

enum relay_op {
	RELAY_HELLO = 0x5200, /* arg: RELAY_VERSION; the first question */
	RELAY_CONNECT,	      /* addr, ms -> id and message socket */
	RELAY_DATA,	      /* id of a connection, arg: enum net_class -> id and data socket */
	RELAY_DATA_STOP,      /* id of a data: what is under way will not touch memory any more */
	RELAY_REMOTE,	      /* id of a connection, key, bytes -> id */
	RELAY_REMOTE_CLOSE,   /* id of a remote */
	RELAY_MR,	      /* bytes -> id and descriptor */
	RELAY_MR_GRANT,	      /* id of a region, to: id of a connection, arg: enum net_access -> key */
	RELAY_MR_SEAL,	      /* id of a region */
	RELAY_MR_FREE,	      /* id of a region */
};

struct relay_ask {
	uint32_t op; /* enum relay_op; what it does not use is 0 */
	uint32_t id;
	uint32_t to;
	uint32_t arg;
	uint32_t ms;
	uint32_t reserved0;
	uint64_t bytes;
	struct net_key key;
	char addr[ADDR_BYTES];
	uint32_t reserved1;
};
_Static_assert(sizeof(struct relay_ask) == 176, "relay_ask has no holes");

struct relay_answer {
	uint32_t op;
	int32_t err; /* 0 or -errno */
	uint32_t id;
	uint32_t reserved0;
	struct net_key key;
};
_Static_assert(sizeof(struct relay_answer) == 48, "relay_answer has no holes");

struct relay_piece {
	uint32_t region, bytes;
	uint64_t off;
};

struct relay_io {
	uint64_t cookie; /* the client's */
	uint64_t off;	 /* in the remote */
	uint32_t remote;
	uint16_t write; /* 0 or 1 */
	uint16_t n;	/* 1 to NET_SGE_MAX pieces */
	struct relay_piece piece[NET_SGE_MAX];
};
#define RELAY_IO_BYTES(n) (offsetof(struct relay_io, piece) + (n) * sizeof(struct relay_piece))

struct relay_done {
	uint64_t cookie;
	int32_t err; /* as in net_completion */
	uint32_t reserved0;
};

/* packet.c: datagrams of a seqpacket socket, without waiting. */

/* Send one datagram, with the descriptor fd unless it is -1. 0, -EAGAIN, -EPIPE, -errno. */
int packet_send(int socket, const void *buf, size_t len, int fd);
/*
 * Take one datagram: its length, -EAGAIN, -EPIPE (the end), -EMSGSIZE (longer than buf), -EPROTO (descriptors that are
 * not wanted, or nothing in it). fd NULL: none may come; else *fd is the one that came, or -1.
 */
long packet_recv(int socket, void *buf, size_t len, int *fd);

#endif
