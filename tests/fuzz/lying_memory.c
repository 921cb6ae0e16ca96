/* The ExCache against a memory component that lies: sizes, keys, slab ids, counts. What it gives back may be wrong. */
#include "tests/unit/excache_rack.h"
#include "tests/fuzz/liar.h"

#define BYTES (6UL << 20)
#define BUDGET (1UL << 20)

static void special(struct liar *l, const struct message *req, struct message *rep)
{
	struct p2m_slab_get_req get;
	struct p2m_slab_get_rep got = { .slab = random_u64() };
	uint32_t frames;
	struct net_mr *mr;

	if (req->h.msg != P2M_SLAB_GET)
		return;
	memcpy(&get, req->bytes + sizeof(req->h), sizeof(get));
	frames = chance(90) ? get.frames : 1 + below(get.frames);
	got.frames = chance(95) ? get.frames : (uint32_t)number_odd();
	if (net_mr_alloc(l->pd, (uint64_t)frames * PAGE_BYTES, false, &mr) ||
	    net_mr_grant(mr, l->conn, below(500) ? NET_READ | NET_WRITE : NET_READ, &got.key))
		return;
	if (chance(3))
		got.key.w[below(4)] = random_u64();
	message_make(rep, P2M_SLAB_GET, &got, sizeof(got), NULL, 0);
	/* Transfers that fail are tried again for half a minute: not in every round. */
	if (!below(500))
		net_mr_seal(mr);
	else if (!below(500))
		net_mr_free(mr);
}

static void touch(volatile char *p, bool write)
{
	sigjmp_buf buf;

	rack_catch = &buf;
	if (sigsetjmp(buf, 1) == 0) {
		if (write)
			*p = 1;
		else
			(void)!*p;
	}
	rack_catch = NULL;
}

static void client(const char *addr)
{
	static struct rack rack;
	char *p;

	log_set_fd(-1);
	rack.n = 1;
	snprintf(rack.memory[0].addr, ADDR_BYTES, "%s", addr);
	snprintf(rack.memory[0].name, NAME_BYTES, "liar");
	if (rack_open(&rack, BUDGET, NULL))
		_exit(125);
	p = rack_map_registered(0, BYTES);
	for (unsigned i = 0; i < 4000; i++)
		touch(p + (uint64_t)below(BYTES / PAGE_BYTES) * PAGE_BYTES, chance(60));
	rack_unmap(0);
	excache_flush();
	rack_port_done();
	excache_close();
}

int main(int argc, char **argv)
{
	liar_kind = KIND_MEMORY;
	liar_monitor = CORPUS_MEMORY;
	liar_special = special;
	return liar_fuzz(argc, argv, "lying memory", client);
}
