/* What net/relay uses of net/local: its addresses, its check of who may connect, its care for descriptor numbers. */
#ifndef ASHLAR_NET_LOCAL_SOCKET_H
#define ASHLAR_NET_LOCAL_SOCKET_H
#include "ashlar/net.h"

/*
 * The seqpacket socket of a connection of a `local` net that has no events yet; the connection is no more. The
 * descriptor is the caller's.
 */
int local_conn_take(struct net_conn *);
/* fd.c: move fd to the net's floor (fd is closed either way); the new number or -errno. Takes -1 as errno of its maker. */
int local_fd_place(const struct net *, int fd);

#endif
