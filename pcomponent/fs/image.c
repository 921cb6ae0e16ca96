/* Images: files that the loader and mmap read (fs.h). Set-up of the whole of fs/ is here too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "pcomponent/fs/client.h"
#include "pcomponent/fs/cwd.h"
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/path.h"
#include "pcomponent/fs/program.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"

/* A path that is no remote file, or leads to none: the host's files are not loaded from, but by a descriptor. */
static long path_remote(const char *str, struct path *p)
{
	long err;

	if (program_kept(str, p))
		return 0;
	err = path_get_local(AT_FDCWD, str, 0, p);
	if (!err && p->where != PATH_REMOTE) {
		path_put(p);
		err = -EACCES;
	}
	return err;
}

static int canonical_out(const struct file *f, char *buf, size_t max)
{
	if (!buf)
		return 0;
	if (strlen(f->path) >= max)
		return -ENAMETOOLONG;
	strcpy(buf, f->path);
	return 0;
}

/* The file that path leads to, and its beginning. */
static long open_exec(const char *path, struct file **f, struct wire_stat *st, char *head, uint32_t *head_bytes)
{
	int host = program_host(path);
	struct path p;
	long err;

	if (host >= 0) {
		err = program_open(host, f, st);
		if (!err)
			*head_bytes = (uint32_t)program_read(*f, head, P2S_EXEC_HEAD, 0);
		return err;
	}
	err = path_remote(path, &p);
	if (err)
		return err;
	err = remote_exec(&p, f, st, head, head_bytes);
	path_put(&p);
	return err == -EREMOTE ? -EACCES : err;
}

int fs_image_exec(const char *path, struct fs_image **out, struct wire_stat *st, char canonical[4096], char *head,
		  uint32_t *head_bytes)
{
	struct file *f;
	long err = open_exec(path, &f, st, head, head_bytes);

	if (err)
		return (int)err;
	err = canonical_out(f, canonical, 4096);
	if (!err)
		*out = file_image(file_hold(f));
	file_put(f);
	return (int)err;
}

int fs_image_from_fd(int fd, struct fs_image **out, struct fs_version *which, char *canonical, size_t canonical_max)
{
	struct file *f = fd_remote(fd);
	long err;

	if (!f)
		return fd < 0 || fd_hidden(fd) || fcntl(fd, F_GETFD) < 0 ? -EBADF : -ENODEV;
	err = file_flags(f) & O_PATH ? -EBADF : !file_readable(f) ? -EACCES : 0;
	if (!err && which)
		err = remote_which(f, which);
	if (!err)
		err = canonical_out(f, canonical, canonical_max);
	if (!err)
		*out = file_image(file_hold(f));
	file_put(f);
	return (int)err;
}

int64_t fs_image_pread(struct fs_image *image, void *dst, uint64_t bytes, uint64_t off)
{
	struct file *f = image_file(image);
	uint64_t done = 0;
	struct slot s;
	uint32_t n;
	long got;
	int err;

	if (f->kind == FILE_MAPPED)
		return program_read(f, dst, bytes, off);
	err = slot_get_image(&s);
	if (err)
		return err;
	while (done < bytes) {
		n = bytes - done < IO_SLOT_BYTES ? (uint32_t)(bytes - done) : IO_SLOT_BYTES;
		got = remote_read_slot(f, off + done, s.buf, n);
		if (got < 0) {
			slot_put(&s);
			return got;
		}
		memcpy((char *)dst + done, s.addr, (size_t)got);
		done += (uint64_t)got;
		if ((uint32_t)got < n)
			break;
	}
	slot_put(&s);
	return (int64_t)done;
}

int fs_image_pwrite(struct fs_image *image, const void *src, uint64_t bytes, uint64_t off)
{
	uint64_t done = 0, at = off;
	struct slot s;
	long put = 0;
	int err = slot_get(&s);

	if (err)
		return err;
	while (done < bytes && put >= 0) {
		uint32_t n = bytes - done < IO_SLOT_BYTES ? (uint32_t)(bytes - done) : IO_SLOT_BYTES;

		memcpy(s.addr, (const char *)src + done, n);
		put = remote_write_slot(image_file(image), &at, false, s.buf, n);
		if (put == 0)
			put = -EIO;
		done += put > 0 ? (uint64_t)put : 0;
		at = off + done;
	}
	slot_put(&s);
	return put < 0 ? (int)put : 0;
}

bool fs_image_writable(struct fs_image *image)
{
	return file_writable(image_file(image));
}

const struct fs_version *fs_image_version(struct fs_image *image)
{
	return &image_file(image)->version;
}

int fs_image_stat(struct fs_image *image, struct wire_stat *st)
{
	return (int)remote_stat_file(image_file(image), st);
}

struct fs_image *fs_image_ref(struct fs_image *image)
{
	return file_image(file_hold(image_file(image)));
}

void fs_image_close(struct fs_image *image)
{
	file_drop(image_file(image));
}

void fs_exec_path(char path[4096])
{
	struct path p;

	if (strncmp(path, "/proc/", 6) != 0 || path_remote(path, &p))
		return;
	if (p.where == PATH_REMOTE && !p.dir && p.str[0] == '/')
		snprintf(path, 4096, "%s", p.str);
	path_put(&p);
}

/* ---- set-up ---- */

int fs_open(const struct fs_config *cfg)
{
	struct path root = { .where = PATH_REMOTE, .str = "/" };
	struct file *dir;
	long err = fdtable_open(cfg->fd_floor);

	if (err) {
		sys_message("no descriptors for files: %s", strerror((int)-err));
		return (int)err;
	}
	err = client_open(cfg);
	if (err)
		return (int)err;
	umask_set(cfg->umask & 0777);
	/* A directory that the export does not have: start at its root, and say so. */
	snprintf(root.str, sizeof(root.str), "%s", cfg->cwd);
	if (path_is_host(cfg->cwd))
		return cwd_set(NULL, cfg->cwd);
	err = remote_open(&root, O_PATH | O_DIRECTORY, 0, &dir, NULL);
	if (err) {
		sys_message("%s is not on storage component %s (%s): the working directory is /", cfg->cwd, cfg->s_name,
			    strerror((int)-err));
		strcpy(root.str, "/");
		err = remote_open(&root, O_PATH | O_DIRECTORY, 0, &dir, NULL);
	}
	return err ? (int)err : cwd_set(dir, dir->path);
}

uint64_t fs_messages(void)
{
	return client_messages();
}
