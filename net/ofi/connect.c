/* Connecting a message connection. */
#include <errno.h>
#include "ashlar/base/clock.h"
#include "net/ofi/ofi.h"

static int connect_within(struct ofi_net *net, struct ofi_conn *c, const struct fi_info *info, uint64_t deadline_ns)
{
	const struct ofi_hello hello = { .magic = OFI_MAGIC, .version = OFI_VERSION, .kind = OFI_HELLO_CONN };
	int fd, err;

	err = fi_control(&c->eq->fid, FI_GETWAIT, &fd);
	if (!err)
		err = fi_connect(c->ep, info->dest_addr, &hello, sizeof(hello));
	return err ? err : ofi_connected(net, c->eq, fd, deadline_ns);
}

int ofi_connect(struct net *base, const char *addr, uint32_t timeout_ms, struct net_conn **out)
{
	uint64_t deadline = clock_ns() + timeout_ms * NS_PER_MS;
	struct ofi_net *net = ofi_net(base);
	struct fi_info *info;
	struct ofi_conn *c;
	int err;

	err = ofi_address_info(net, addr, false, &info);
	if (err)
		return err;
	err = ofi_conn_new(net, info, true, &c);
	if (err) {
		ofi_lib.freeinfo(info);
		return err;
	}
	c->info = info;
	err = connect_within(net, c, info, deadline);
	if (err) {
		ofi_conn_close(&c->base);
		/* The other end went away while it was asked: nobody there, for the caller. */
		return err == -EPIPE || err == -ECONNRESET || err == -ENOTCONN ? -ECONNREFUSED : err;
	}
	*out = &c->base;
	return 0;
}
