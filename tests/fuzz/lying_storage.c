/* The dispatcher's files against a storage component that lies in replies, tails and in the data that it moves. */
#include "tests/unit/fs_rig.h"
#include "tests/fuzz/liar.h"

#define CALLS 120u

/* Whatever it was asked to move: entries of a directory that are none, or noise. */
static void data_give(struct liar *l, const struct message *req, struct message *rep)
{
	static uint64_t data[IO_SLOT_BYTES / 8];
	struct p2s_getdents_req get;
	uint32_t done, bytes;
	struct net_sge sge;

	memcpy(&get, req->bytes + sizeof(req->h), sizeof(get));
	bytes = get.bytes <= sizeof(data) ? get.bytes / 8 * 8 : 0;
	if (!l->buffer || !bytes)
		return;
	for (uint32_t i = 0; i < bytes / 8; i++)
		data[i] = chance(10) ? random_u64() : chance(50) ? 0 : 24 | (uint64_t)chance(50) << 24;
	for (uint32_t at = 0; at + 24 <= bytes && chance(97); at += 24) {
		data[at / 8] = data[at / 8 + 1] = at + 1;
		data[at / 8 + 2] = 24 | 4 << 16 | (uint64_t)'a' << 24;
	}
	sge = (struct net_sge){ .addr = data, .bytes = bytes };
	(void)!net_write_sync(l->data, l->buffer, get.buf, &sge, 1, clock_ns() + NS_PER_S);
	done = chance(80) ? bytes / 24 * 24 : chance(50) ? bytes + 24 : (uint32_t)random_u64();
	if (req->h.msg == P2S_GETDENTS)
		memcpy(message_body(rep) + offsetof(struct p2s_getdents_rep, done), &done, 4);
	else
		memcpy(message_body(rep) + offsetof(struct p2s_read_rep, done), &done, 4);
}

/* Lengths that fit the tail, mostly. */
static void exec_give(struct message *rep)
{
	uint32_t lengths[2] = { below(rep->h.tail_bytes + 1), 0 };

	lengths[1] = chance(90) ? rep->h.tail_bytes - lengths[0] : (uint32_t)random_u64();
	if (rep->h.body_bytes == sizeof(struct p2s_exec_rep))
		memcpy(message_body(rep) + offsetof(struct p2s_exec_rep, path_bytes), lengths, sizeof(lengths));
}

static void special(struct liar *l, const struct message *req, struct message *rep)
{
	struct p2s_buffer_req buffer;

	if (req->h.msg == P2S_BUFFER) {
		memcpy(&buffer, req->bytes + sizeof(req->h), sizeof(buffer));
		if (!l->buffer && !net_data_open(l->conn, NET_DEMAND, &l->data))
			(void)!net_remote_open(l->conn, &buffer.key, buffer.bytes, &l->buffer);
	}
	if (req->h.msg == P2S_GETDENTS || req->h.msg == P2S_READ)
		data_give(l, req, rep);
	if (req->h.msg == P2S_EXEC && chance(90))
		exec_give(rep);
}

static const char *path_any(void)
{
	static const char *const paths[] = { "a", "/", "/a/b", "..", ".", "d/../e", "/usr/lib", "link" };

	return paths[below(8)];
}

static void call_any(int fds[8])
{
	static char buf[65536], big[300000];
	uint64_t fd = (uint64_t)fds[below(8)];
	long ret;

	switch (below(24)) {
	case 0:
	case 1:
	case 2:
	case 3:
		ret = ours(open, S(path_any()),
			   (uint64_t)(chance(50)   ? O_RDONLY
				      : chance(50) ? O_RDWR
						   : O_DIRECTORY),
			   0);
		if (ret >= 0 && ret < 1000)
			fds[below(8)] = (int)ret;
		break;
	case 4:
		ours(read, fd, S(buf), below(sizeof(buf)));
		break;
	case 5:
		ours(read, fd, S(big), sizeof(big));
		break;
	case 6:
		ours(getdents64, fd, S(buf), below(sizeof(buf)));
		break;
	case 7:
		ours(getdents, fd, S(buf), below(sizeof(buf)));
		break;
	case 8:
		ours(stat, S(path_any()), S(buf));
		break;
	case 9:
		ours(fstat, fd, S(buf));
		break;
	case 10:
		ours(readlink, S(path_any()), S(buf), below(5000));
		break;
	case 11:
		ours(getcwd, S(buf), below(5000));
		break;
	case 12:
		ours(chdir, S(path_any()));
		break;
	case 13:
		ours(lseek, fd, random_u64(), below(5));
		break;
	case 14:
		ours(write, fd, S(buf), below(sizeof(buf)));
		break;
	case 15:
		ours(statfs, S(path_any()), S(buf));
		break;
	case 16:
		ours(rename, S(path_any()), S(path_any()));
		break;
	case 17:
		ours(close, fd);
		break;
	case 18:
		ours(statx, (uint64_t)AT_FDCWD, S(path_any()), 0, 0xfff, S(buf));
		break;
	case 19:
		ours(fallocate, fd, 0, 0, 4096);
		break;
	case 20:
		ours(mkdir, S(path_any()), 0755);
		break;
	case 21:
		ours(readlink, S("/proc/self/exe"), S(buf), 4096);
		break;
	case 22:
		ours(readlink, S("/proc/self/cwd"), S(buf), 4096);
		break;
	case 23:
		ours(copy_file_range, fd, 0, (uint64_t)fds[below(8)], 0, 70000, 0);
		break;
	}
}

static void image_any(void)
{
	char path[PATH_MAX], head[P2S_EXEC_HEAD], *data = malloc(70000);
	struct fs_image *image;
	struct wire_stat st;
	uint32_t n;

	if (fs_image_exec(path_any(), &image, &st, path, head, &n) == 0) {
		(void)!fs_image_pread(image, data, 70000, random_u64() >> 1);
		fs_image_close(image);
	}
	free(data);
}

static void client(const char *addr)
{
	struct net_options options = { .fd_floor = FD_FLOOR };
	struct fs_config cfg = { .s_name = "s0", .cap = fs_cap, .pid = 7, .umask = 022, .fd_floor = FD_FLOOR };
	int fds[8] = { 3, 4, 5, 6, 7, 8, 9, 10 };

	log_set_fd(-1);
	if (net_open("local", &options, &fs_net))
		_exit(1);
	cfg.net = fs_net;
	cfg.s_addr = addr;
	cfg.cwd = "/tmp";
	if (fs_open(&cfg))
		_exit(125);
	for (unsigned i = 0; i < CALLS; i++) {
		call_any(fds);
		if (chance(3))
			image_any();
	}
}

int main(int argc, char **argv)
{
	liar_kind = KIND_STORAGE;
	liar_monitor = CORPUS_STORAGE;
	liar_special = special;
	return liar_fuzz(argc, argv, "lying storage", client);
}
