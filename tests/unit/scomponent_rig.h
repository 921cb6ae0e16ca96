/*
 * For tests of the storage monitor: one that exports a fresh directory, its listener, and a peer with an io buffer. As
 * root the test becomes another user first, so that rights mean something.
 */
#ifndef ASHLAR_TESTS_SCOMPONENT_RIG_H
#define ASHLAR_TESTS_SCOMPONENT_RIG_H
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <sys/stat.h>
#include "monitor_rig.h"
#include "scomponent/scomponent.h"

#define NOBODY 65534u
#define BUFFER_BYTES (2 * (uint64_t)IO_SLOT_BYTES)

static struct scomponent *sto;
static struct net_listener *sto_listener;
static char sto_dir[64];    /* holds the export and what must not be reached */
static char sto_export[96]; /* sto_dir/export */
static bool sto_readonly;

struct sto_peer {
	struct rig_peer p;
	uint32_t pid;
	struct net_pd *pd;
	struct net_mr *mr; /* the io buffer */
};

static inline int sto_user(void)
{
	static char dir[] = "/tmp/ashlar-sto-XXXXXX";

	if (!mkdtemp(strcpy(sto_dir, dir)))
		return -1;
	if (geteuid())
		return 0;
	return chown(sto_dir, NOBODY, NOBODY) || setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	       setresuid(NOBODY, NOBODY, NOBODY);
}

static inline void sto_accepted(void *arg, struct net_conn *conn)
{
	scomponent_accepted(sto, conn);
}

static inline int sto_open(void **state)
{
	struct scomponent_config cfg = { .root = sto_export, .readonly = sto_readonly };

	if (sto_user() || rig_open(state))
		return -1;
	snprintf(sto_export, sizeof(sto_export), "%s/export", sto_dir);
	if (mkdir(sto_export, 0755))
		return -1;
	if (scomponent_open(rig_loop, rig_net, &rig_counters, &cfg, &sto) ||
	    net_listen(rig_net, "local:auto", sto_accepted, NULL, &sto_listener))
		return -1;
	log_set_fd(-1);
	return 0;
}

static inline int sto_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline int sto_close(void **state)
{
	net_listener_close(sto_listener);
	scomponent_close(sto);
	rig_close(state);
	nftw(sto_dir, sto_remove, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* ---- the tree, seen from outside ---- */

static inline char *sto_path(const char *rel)
{
	static char path[8][PATH_MAX];
	static int i;

	i = (i + 1) % 8;
	snprintf(path[i], sizeof(path[i]), "%s/%s", sto_export, rel);
	return path[i];
}

static inline void sto_file(const char *rel, const char *text)
{
	FILE *f = fopen(sto_path(rel), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static inline void sto_mkdir(const char *rel)
{
	assert_int_equal(mkdir(sto_path(rel), 0755), 0);
}

static inline void sto_link(const char *target, const char *rel)
{
	assert_int_equal(symlink(target, sto_path(rel)), 0);
}

static inline bool sto_exists(const char *rel)
{
	return !faccessat(AT_FDCWD, sto_path(rel), F_OK, AT_SYMLINK_NOFOLLOW);
}

/* ---- processes ---- */

static inline struct cap sto_cap(uint32_t pid)
{
	return (struct cap){ { 0x1111111111111111ULL * pid, ~(uint64_t)pid } };
}

static inline int sto_admit(uint32_t pid)
{
	struct g2x_admit_req req = { .cap = sto_cap(pid), .pid = pid, .uid = geteuid(), .gid = getegid() };

	return scomponent_admit(sto, &req);
}

static inline int sto_ask_tail(struct sto_peer *p, enum msg_id id, const void *req, const void *tail, size_t n)
{
	memset(&rig_answer, 0, offsetof(struct rig_answer, tail));
	assert_non_null(p->p.rpc);
	assert_int_equal(rpc_call(p->p.rpc, id, p->pid, req, tail, (uint32_t)n, 5000, rig_done, (void *)msg_info(id)),
			 0);
	while (!rig_answer.there)
		rig_run();
	return rig_answer.err;
}

static inline int sto_ask(struct sto_peer *p, enum msg_id id, const void *req)
{
	return sto_ask_tail(p, id, req, NULL, 0);
}

static inline const void *sto_answer(void)
{
	return rig_answer.rep;
}
#define sto_rep(type) ((const struct type *)sto_answer())

static inline void sto_connect(struct sto_peer *p, uint32_t pid)
{
	memset(p, 0, sizeof(*p));
	p->pid = pid;
	rig_connect(&p->p, net_listener_addr(sto_listener), KIND_DISPATCHER);
}

static inline int sto_hello(struct sto_peer *p, uint32_t pid, struct cap cap)
{
	struct p2s_hello_req req = { .cap = cap, .pid = pid };

	return sto_ask(p, P2S_HELLO, &req);
}

static inline int sto_buffer(struct sto_peer *p, uint64_t bytes)
{
	struct p2s_buffer_req req = { .bytes = bytes };

	if (!p->mr) {
		assert_int_equal(net_pd_open(rig_net, &p->pd), 0);
		assert_int_equal(net_mr_alloc(p->pd, BUFFER_BYTES, true, &p->mr), 0);
	}
	assert_int_equal(net_mr_grant(p->mr, rpc_conn(p->p.rpc), NET_READ | NET_WRITE, &req.key), 0);
	return sto_ask(p, P2S_BUFFER, &req);
}

/* A process that is admitted, proved, and has its buffer. */
static inline void sto_bind(struct sto_peer *p, uint32_t pid)
{
	sto_connect(p, pid);
	assert_int_equal(sto_hello(p, pid, sto_cap(pid)), 0);
	assert_int_equal(sto_buffer(p, BUFFER_BYTES), 0);
}

static inline void sto_start(struct sto_peer *p, uint32_t pid)
{
	assert_int_equal(sto_admit(pid), 0);
	sto_bind(p, pid);
}

static inline void sto_end(struct sto_peer *p)
{
	rig_hang_up(&p->p);
	if (p->mr) {
		net_mr_free(p->mr);
		net_pd_close(p->pd);
	}
	p->mr = NULL;
}

static inline struct scomponent_usage sto_usage(void)
{
	struct scomponent_usage u;

	scomponent_usage(sto, &u);
	return u;
}

static inline char *sto_buf(struct sto_peer *p)
{
	return net_mr_addr(p->mr);
}

/* ---- requests that many tests make ---- */

static inline struct wire_at sto_at(uint64_t dir, const char *path, uint32_t flags)
{
	return (struct wire_at){ .dir = dir, .flags = flags, .path_bytes = (uint32_t)strlen(path) };
}

static inline int sto_openat(struct sto_peer *p, uint64_t dir, const char *path, uint32_t flags, uint32_t mode)
{
	struct p2s_open_req req = { .at = sto_at(dir, path, *path ? 0 : AT_EMPTY_PATH), .flags = flags, .mode = mode };

	return sto_ask_tail(p, P2S_OPEN, &req, path, strlen(path));
}

/* A handle; the test fails when there is none. */
static inline uint64_t sto_handle(struct sto_peer *p, const char *path, uint32_t flags)
{
	assert_int_equal(sto_openat(p, 0, path, flags, flags & O_CREAT ? 0644 : 0), 0);
	return sto_rep(p2s_open_rep)->handle;
}

/* Path in the answer's tail. */
static inline const char *sto_tail(void)
{
	char *tail = (char *)rig_answer.tail;

	tail[rig_answer.tail_bytes] = '\0';
	return tail;
}

static inline int sto_close_handle(struct sto_peer *p, uint64_t handle)
{
	struct p2s_close_req req = { .handle = handle };

	return sto_ask(p, P2S_CLOSE, &req);
}

static inline int sto_stat(struct sto_peer *p, uint64_t dir, const char *path, uint32_t flags)
{
	struct p2s_stat_req req = { .at = sto_at(dir, path, flags) };

	return sto_ask_tail(p, P2S_STAT, &req, path, strlen(path));
}

static inline int sto_read(struct sto_peer *p, uint64_t handle, uint64_t off, uint64_t buf, uint32_t bytes)
{
	struct p2s_read_req req = { .handle = handle, .off = off, .buf = buf, .bytes = bytes };

	return sto_ask(p, P2S_READ, &req);
}

static inline int sto_write(struct sto_peer *p, uint64_t handle, uint64_t off, uint64_t buf, uint32_t bytes)
{
	struct p2s_write_req req = { .handle = handle, .off = off, .buf = buf, .bytes = bytes };

	return sto_ask(p, P2S_WRITE, &req);
}

static inline int sto_mkdirat(struct sto_peer *p, uint64_t dir, const char *path)
{
	struct p2s_mkdir_req req = { .at = sto_at(dir, path, 0), .mode = 0755 };

	return sto_ask_tail(p, P2S_MKDIR, &req, path, strlen(path));
}

static inline int sto_unlink(struct sto_peer *p, const char *path, uint32_t flags)
{
	struct p2s_unlink_req req = { .at = sto_at(0, path, flags) };

	return sto_ask_tail(p, P2S_UNLINK, &req, path, strlen(path));
}

static inline int sto_rename(struct sto_peer *p, const char *from, const char *to)
{
	struct p2s_rename_req req = { .from = sto_at(0, from, 0), .to = sto_at(0, to, 0) };
	char tail[2 * PATH_MAX];

	snprintf(tail, sizeof(tail), "%s%s", from, to);
	return sto_ask_tail(p, P2S_RENAME, &req, tail, strlen(tail));
}

static inline int sto_linkat(struct sto_peer *p, uint64_t dir, const char *from, uint32_t flags, const char *to)
{
	struct p2s_link_req req = { .from = sto_at(dir, from, flags), .to = sto_at(0, to, 0) };
	char tail[2 * PATH_MAX];

	snprintf(tail, sizeof(tail), "%s%s", from, to);
	return sto_ask_tail(p, P2S_LINK, &req, tail, strlen(tail));
}

static inline int sto_symlink(struct sto_peer *p, const char *target, const char *path)
{
	struct p2s_symlink_req req = { .at = sto_at(0, path, 0), .target_bytes = (uint32_t)strlen(target) };
	char tail[2 * PATH_MAX];

	snprintf(tail, sizeof(tail), "%s%s", target, path);
	return sto_ask_tail(p, P2S_SYMLINK, &req, tail, strlen(tail));
}

static inline int sto_readlink(struct sto_peer *p, const char *path)
{
	struct p2s_readlink_req req = { .at = sto_at(0, path, 0) };

	return sto_ask_tail(p, P2S_READLINK, &req, path, strlen(path));
}

static inline int sto_resolve(struct sto_peer *p, uint64_t dir, const char *path, uint32_t flags)
{
	struct p2s_resolve_req req = { .at = sto_at(dir, path, flags) };

	return sto_ask_tail(p, P2S_RESOLVE, &req, path, strlen(path));
}

#endif
