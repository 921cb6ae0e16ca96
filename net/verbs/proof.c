/*
 * Who is of the rack. The connecting side's request carries a number that it drew, and whom the connection is for; the
 * answer a number of the listener's, and, where it has the rack's key, a hash that shows it. The first frame of a
 * connecting side that has the key shows the same, and that what its request said is true. Both hashes are also about the
 * listener's address, so that they are of no use for a connection to another place.
 *
 * The frame comes before all messages: whoever looks at the peer when the first message is there knows.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/verbs/verbs.h"

/* What the hashes are about; zeros where nothing stands. */
struct about {
	uint64_t nonce[2][2];
	uint32_t uid, gid;
	int32_t host_pid;
	uint32_t zero;
	char listener[ADDR_BYTES];
};

static void hash(const struct vb_conn *c, const struct sockaddr *listener, const char *purpose,
		 uint8_t mac[SECRET_MAC_BYTES])
{
	const struct vb_hello *h = &c->said;
	struct about a;

	memset(&a, 0, sizeof(a));
	memcpy(a.nonce[0], h->token, sizeof(a.nonce[0]));
	memcpy(a.nonce[1], c->nonce, sizeof(a.nonce[1]));
	a.uid = h->uid;
	a.gid = h->gid;
	a.host_pid = h->host_pid;
	net_place_name("verbs", listener, a.listener);
	secret_mac(&c->link.net->secret, purpose, &a, sizeof(a), mac);
}

static void refused(struct vb_conn *c, const char *who, const char *why)
{
	net_count(&c->base.net->stats.failures, 1);
	log_warn("%s refused: %s", who, why);
}

int vb_proof_begin(struct vb_conn *c, const struct net_peer *whom)
{
	struct vb_hello *h = &c->link.hello;

	*h = (struct vb_hello){ .magic = VB_MAGIC, .version = VB_VERSION, .kind = VB_HELLO_CONN };
	h->uid = whom ? whom->uid : geteuid();
	h->gid = whom ? whom->gid : getegid();
	h->host_pid = whom ? whom->host_pid : getpid();
	h->flags = c->link.net->has_secret ? VB_HELLO_PROVES : 0;
	if (net_random(h->token, 2))
		return -EIO;
	c->said = *h;
	return 0;
}

int vb_proof_answer(struct vb_conn *c, const struct vb_hello *h, const struct sockaddr *listener)
{
	struct vb_answer *a = &c->link.answer;

	if (h->flags & ~VB_HELLO_PROVES)
		return -EINVAL;
	c->said = *h;
	if (net_random(c->nonce, 2))
		return -EIO;
	*a = (struct vb_answer){ .magic = VB_MAGIC };
	memcpy(a->nonce, c->nonce, sizeof(a->nonce));
	if (!c->link.net->has_secret)
		return 0;
	a->flags = VB_HELLO_PROVES;
	hash(c, listener, "ashlar verbs accept", a->mac);
	hash(c, listener, "ashlar verbs connect", c->awaited);
	return 0;
}

int vb_proof_check(struct vb_conn *c, const struct vb_event *e)
{
	const struct sockaddr *listener = rdma_get_peer_addr(c->link.id);
	uint8_t mac[SECRET_MAC_BYTES];
	struct vb_answer a;
	char name[ADDR_BYTES] = "?";

	if (!c->link.net->has_secret)
		return 0;
	net_place_name("verbs", listener, name);
	if (e->private_len < sizeof(a))
		goto out_refuse;
	memcpy(&a, e->private_data, sizeof(a));
	memcpy(c->nonce, a.nonce, sizeof(c->nonce));
	hash(c, listener, "ashlar verbs accept", mac);
	if (a.magic != VB_MAGIC || a.flags != VB_HELLO_PROVES || !secret_mac_equal(a.mac, mac))
		goto out_refuse;
	hash(c, listener, "ashlar verbs connect", mac);
	vb_send_control(c, VB_PROOF, mac, sizeof(mac));
	return 0;

out_refuse:
	refused(c, name, "it has not shown that it has the key of this rack");
	return -EACCES;
}

bool vb_proof_take(struct vb_conn *c, const uint8_t mac[SECRET_MAC_BYTES])
{
	if (c->active || c->proven || !(c->said.flags & VB_HELLO_PROVES))
		return false;
	if (!c->link.net->has_secret)
		return true; /* nothing to compare it with, and nothing hangs on it */
	if (!secret_mac_equal(mac, c->awaited)) {
		refused(c, "a peer", "it has another key than this rack");
		return false;
	}
	c->proven = true;
	return true;
}

void vb_conn_peer(const struct net_conn *conn, struct net_peer *peer)
{
	const struct vb_conn *c = container_of(conn, struct vb_conn, base);

	peer->stranger = c->link.net->has_secret && !c->active && !c->proven;
	peer->known = c->proven;
	if (!c->proven)
		return;
	peer->uid = c->said.uid;
	peer->gid = c->said.gid;
	peer->host_pid = c->said.host_pid;
}
