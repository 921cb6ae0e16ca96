/*
 * Files of one process, by the p2s edge as the dispatcher speaks it. What each file holds is known; at the end it is
 * read from the host's file system as well. A call whose answer was lost was done once, or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "rack.h"

#define CONNECT_MS 5000u
#define CALL_MS 60000u
#define BUFFER_BYTES (64u << 10)
#define IO_MAX 8192u

struct one_file {
	char name[24];
	uint64_t handle, size;
	uint8_t *bytes;
};

struct files {
	struct proc *p;
	unsigned index;
	struct rpc *rpc;
	struct net_pd *pd;
	struct net_mr *io;
	bool gone;
	struct one_file file[FILES_MAX];
	/* The call whose answer never came: perhaps the file holds this. */
	struct one_file *unsure;
	uint64_t unsure_off, unsure_n;
	uint8_t unsure_bytes[IO_MAX];
};

/* Trouble since the process began is an excuse; nothing else is. */
static void excuse(struct files *f, const char *what, int err)
{
	check(sim_node_dead(f->p->node) || rack.storage->trouble_ns >= f->p->begin_ns ||
		      rack.daemon->trouble_ns >= f->p->begin_ns || chaos_links >= f->p->begin_ns,
	      "process %u: %s: %s, and nothing has happened", f->p->index, what, strerror(-err));
}

static int call(struct files *f, enum msg_id id, const void *req, const void *tail, uint32_t n, void *rep)
{
	char path[4096];
	uint32_t path_bytes = sizeof(path);
	int err;

	if (f->gone)
		return -EIO;
	err = rpc_call_sync(f->rpc, id, f->p->run.pid, sim_thread_id(), req, tail, n, CALL_MS, rep, path, &path_bytes);
	if (err) {
		excuse(f, msg_info((uint16_t)id)->name, err);
		f->gone = err == -EPIPE || err == -EPROTO || err == -ETIMEDOUT || err == -EACCES;
	}
	return err;
}

static int hello(struct files *f)
{
	const struct placement_part *part = &f->p->placement[0];
	struct p2s_hello_req req = { .cap = part->cap, .pid = f->p->run.pid };
	struct p2s_buffer_req buffer = { .bytes = BUFFER_BYTES };
	struct p2s_hello_rep rep;
	struct p2s_buffer_rep none;
	int err = rpc_connect_sync(f->p->net, part->addr, KIND_DISPATCHER, KIND_STORAGE, CONNECT_MS, &f->rpc);

	if (err) {
		f->rpc = NULL;
		excuse(f, "connect to storage", err);
		return err;
	}
	err = call(f, P2S_HELLO, &req, NULL, 0, &rep);
	if (!err)
		err = net_pd_open(f->p->net, &f->pd);
	if (!err)
		err = net_mr_alloc(f->pd, BUFFER_BYTES, true, &f->io);
	if (!err)
		err = net_mr_grant(f->io, rpc_conn(f->rpc), NET_READ | NET_WRITE, &buffer.key);
	return err ? err : call(f, P2S_BUFFER, &buffer, NULL, 0, &none);
}

struct files *files_open(struct proc *p)
{
	struct files *f = calloc(1, sizeof(*f));

	f->p = p;
	f->index = p->index;
	f->gone = hello(f) != 0;
	for (unsigned i = 0; i < FILES_MAX; i++) {
		struct one_file *o = &f->file[i];
		struct p2s_open_req req = { .flags = O_CREAT | O_RDWR, .mode = 0600 };
		struct p2s_open_rep rep;

		o->bytes = calloc(1, FILE_BYTES);
		snprintf(o->name, sizeof(o->name), "p%u-f%u", p->index, i);
		req.at.path_bytes = (uint32_t)strlen(o->name);
		if (!call(f, P2S_OPEN, &req, o->name, req.at.path_bytes, &rep))
			o->handle = rep.handle;
		else
			f->gone = true;
	}
	return f;
}

static int file_write(struct files *f, struct one_file *o, bool append)
{
	uint32_t n = (uint32_t)sim_between(1, IO_MAX);
	uint64_t off = append ? o->size : sim_below(FILE_BYTES - IO_MAX);
	struct p2s_write_req req = { .handle = o->handle, .off = append ? 0 : off, .bytes = n, .append = append };
	uint8_t *buf = net_mr_addr(f->io), v = (uint8_t)sim_random();
	struct p2s_write_rep rep;
	int err;

	if (off + n > FILE_BYTES)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		buf[i] = (uint8_t)(v + i * 7);
	memcpy(f->unsure_bytes, buf, n);
	err = call(f, P2S_WRITE, &req, NULL, 0, &rep);
	if (err && f->gone) {
		f->unsure = o;
		f->unsure_off = off;
		f->unsure_n = n;
	}
	if (err)
		return err;
	check(rep.done == n && rep.end == off + n, "process %u: a write of %u bytes at %lu of %s did %u up to %lu",
	      f->p->index, n, (unsigned long)off, o->name, rep.done, (unsigned long)rep.end);
	memcpy(o->bytes + off, f->unsure_bytes, n);
	o->size = off + n > o->size ? off + n : o->size;
	return 0;
}

static int file_read(struct files *f, struct one_file *o)
{
	uint32_t n = (uint32_t)sim_between(1, IO_MAX), want;
	uint64_t off = sim_below(FILE_BYTES);
	struct p2s_read_req req = { .handle = o->handle, .off = off, .bytes = n };
	struct p2s_read_rep rep;
	int err;

	memset(net_mr_addr(f->io), 0xee, n);
	err = call(f, P2S_READ, &req, NULL, 0, &rep);
	if (err)
		return err;
	want = off >= o->size ? 0 : o->size - off < n ? (uint32_t)(o->size - off) : n;
	check(rep.done == want, "process %u: %u bytes read at %lu of %s, not %u", f->p->index, rep.done,
	      (unsigned long)off, o->name, want);
	check(memcmp(net_mr_addr(f->io), o->bytes + off, want) == 0, "process %u: wrong bytes read from %s at %lu",
	      f->p->index, o->name, (unsigned long)off);
	return 0;
}

int files_step(struct files *f)
{
	struct one_file *o = &f->file[sim_below(FILES_MAX)];

	if (f->gone)
		return -EIO;
	switch (sim_below(4)) {
	case 0:
		return file_write(f, o, true);
	case 1:
		return file_write(f, o, false);
	default:
		return file_read(f, o);
	}
}

/* Against the host's own file: what was acknowledged is there, once. */
static void file_verify(struct files *f, struct one_file *o)
{
	uint8_t *is = calloc(1, FILE_BYTES + 1);
	char path[128];
	long n = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", rack.dir, o->name);
	fd = open(path, O_RDONLY);
	if (fd >= 0) {
		n = pread(fd, is, FILE_BYTES + 1, 0);
		close(fd);
	}
	if (o->handle && f->unsure == o &&
	    ((uint64_t)n > o->size || memcmp(is + f->unsure_off, o->bytes + f->unsure_off, f->unsure_n) != 0)) {
		/* Done after all. */
		memcpy(o->bytes + f->unsure_off, f->unsure_bytes, f->unsure_n);
		if (f->unsure_off + f->unsure_n > o->size)
			o->size = f->unsure_off + f->unsure_n;
	}
	if (o->handle)
		check(n == (long)o->size && memcmp(is, o->bytes, o->size) == 0,
		      "process %u: file %s has %ld bytes and not the %lu that were written, or others", f->index,
		      o->name, n, (unsigned long)o->size);
	free(is);
}

void files_close(struct files *f)
{
	if (f->rpc)
		rpc_close(f->rpc);
	if (f->io)
		net_mr_free(f->io);
	if (f->pd)
		net_pd_close(f->pd);
}

void files_verify(struct files *f)
{
	for (unsigned i = 0; i < FILES_MAX; i++) {
		file_verify(f, &f->file[i]);
		free(f->file[i].bytes);
	}
	free(f);
}
