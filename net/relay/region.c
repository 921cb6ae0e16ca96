/* Regions of the client: memory of the daemon, registered there, mapped here. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "ashlar/base/log.h"
#include "net/relay/client.h"

static struct relay_mr *relay_mr(struct net_mr *mr)
{
	return container_of(mr, struct relay_mr, base);
}

int relay_pd_open(struct net *net, struct net_pd **out)
{
	struct relay_pd *pd = calloc(1, sizeof(*pd));

	(void)net;
	if (!pd)
		return -ENOMEM;
	*out = &pd->base;
	return 0;
}

void relay_pd_close(struct net_pd *base)
{
	struct relay_pd *pd = container_of(base, struct relay_pd, base);

	BUG_ON(pd->regions);
	free(pd);
}

/* Memory that could shrink would kill us by SIGBUS where it is touched. */
static int region_map(int fd, uint64_t bytes, char **addr)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) || (uint64_t)st.st_size < bytes)
		return -EPROTO;
	*addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	return *addr == MAP_FAILED ? -errno : 0;
}

static void region_tell(struct net *net, uint32_t id)
{
	struct relay_ask ask = { .op = RELAY_MR_FREE, .id = id };

	relay_tell(net, &ask);
}

int relay_mr_alloc(struct net_pd *base, uint64_t bytes, bool mapped, struct net_mr **out)
{
	struct relay_ask ask = { .op = RELAY_MR, .bytes = bytes };
	struct relay_mr *mr = calloc(1, sizeof(*mr));
	struct relay_answer answer;
	int fd, err;

	(void)mapped; /* the local end of every transfer is a mapped region */
	if (!mr)
		return -ENOMEM;
	err = relay_ask(base->net, &ask, RELAY_ANSWER_MS, &answer, &fd);
	if (err)
		goto out_free;
	err = region_map(fd, bytes, &mr->addr);
	close(fd);
	if (err) {
		region_tell(base->net, answer.id);
		goto out_free;
	}
	mr->id = answer.id;
	mr->pd = container_of(base, struct relay_pd, base);
	mr->pd->regions++;
	*out = &mr->base;
	return 0;

out_free:
	free(mr);
	return err;
}

void *relay_mr_addr(const struct net_mr *mr)
{
	return container_of(mr, struct relay_mr, base)->addr;
}

int relay_mr_grant(struct net_mr *mr, struct net_conn *to, unsigned access, struct net_key *key)
{
	struct relay_ask ask = {
		.op = RELAY_MR_GRANT,
		.id = relay_mr(mr)->id,
		.to = container_of(to, struct relay_conn, base)->life->id,
		.arg = access,
	};
	struct relay_answer answer;
	int err = relay_ask(mr->net, &ask, RELAY_ANSWER_MS, &answer, NULL);

	if (!err)
		*key = answer.key;
	return err;
}

int relay_mr_seal(struct net_mr *mr)
{
	struct relay_ask ask = { .op = RELAY_MR_SEAL, .id = relay_mr(mr)->id };
	struct relay_answer answer;
	int err = relay_ask(mr->net, &ask, RELAY_ANSWER_MS, &answer, NULL);

	if (!err)
		relay_mr(mr)->sealed = true;
	return err;
}

bool relay_mr_sealed(const struct net_mr *mr)
{
	return container_of(mr, struct relay_mr, base)->sealed;
}

/* A dispatcher shares no memory with anybody. */
int relay_mr_share(struct net_mr *mr, struct net_pd *to, struct net_mr **out)
{
	(void)mr;
	(void)to;
	(void)out;
	return -EOPNOTSUPP;
}

void relay_mr_free(struct net_mr *base)
{
	struct relay_mr *mr = relay_mr(base);

	region_tell(base->net, mr->id);
	munmap(mr->addr, base->bytes);
	mr->pd->regions--;
	free(mr);
}
