/* See program.h. */
#include "pcomponent/fs/program.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>
#include "pcomponent/fs/fdtable.h"
#include "pcomponent/fs/file.h"
#include "pcomponent/fs/fs.h"
#include "pcomponent/fs/procself.h"
#include "pcomponent/fs/remote.h"
#include "pcomponent/sys/sys.h"

/* What the program before us was told to become. Set and forgotten before any other thread is there. */
static struct {
	int number, host;
	struct file *file;
} kept = { -1, -1, NULL };

int program_number(const char *path)
{
	return strncmp(path, "/proc/", 6) && strncmp(path, "/dev/", 5) ? -1 : procself_number(path);
}

int program_host(const char *path)
{
	int fd = program_number(path);
	struct file *f;

	if (fd < 0)
		return -1;
	if (fd == kept.number)
		return kept.host;
	f = fd_file(fd);
	file_put(f);
	return f || fd_hidden(fd) || fcntl(fd, F_GETFD) < 0 ? -1 : fd;
}

bool program_kept(const char *path, struct path *p)
{
	if (!kept.file || program_number(path) != kept.number)
		return false;
	*p = (struct path){ .where = PATH_REMOTE, .dir = file_ref(kept.file) };
	return true;
}

static void stat_out(const struct stat *in, struct wire_stat *st)
{
	*st = (struct wire_stat){
		.ino = in->st_ino,
		.size = (uint64_t)in->st_size,
		.mode = in->st_mode,
		.dev_major = major(in->st_dev),
		.dev_minor = minor(in->st_dev),
	};
}

/* As Linux shows it to the next program. */
static void name_of(int fd, char *name, size_t max)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, max - 1);
	name[n > 0 ? n : 0] = '\0';
}

/* Opened anew: the program may have it for writing only. */
int program_open(int fd, struct file **out, struct wire_stat *st)
{
	char name[PATH_MAX], link[32];
	struct stat s;
	void *at = NULL;
	int again, err = 0;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (fstat(fd, &s) || !S_ISREG(s.st_mode) || syscall(SYS_faccessat2, fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS))
		return -EACCES;
	again = open(link, O_RDONLY | O_CLOEXEC);
	if (again < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	if (s.st_size)
		at = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_SHARED, again, 0);
	if (at == MAP_FAILED)
		err = -errno;
	close(again);
	if (err)
		return err;
	name_of(fd, name, sizeof(name));
	*out = file_new(FILE_MAPPED, (uint64_t)at, O_RDONLY, S_IFREG, name);
	if (!*out) {
		if (at)
			munmap(at, (size_t)s.st_size);
		return -ENOMEM;
	}
	(*out)->pos = (uint64_t)s.st_size;
	stat_out(&s, st);
	return 0;
}

/* By the kernel: somebody may have cut the object short; what is not there any more is its end. */
int64_t program_read(const struct file *f, void *dst, uint64_t bytes, uint64_t off)
{
	uint64_t left = off < f->pos ? f->pos - off : 0;
	struct iovec to = { dst, bytes < left ? bytes : left }, from = { (void *)(f->handle + off), to.iov_len };
	ssize_t n = to.iov_len ? process_vm_readv(getpid(), &to, 1, &from, 1, 0) : 0;

	return n < 0 ? 0 : n;
}

void program_unmap(const struct file *f)
{
	if (f->handle)
		munmap((void *)f->handle, f->pos);
}

int program_keep_host(int number, int floor)
{
	char link[32];
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", number);
	if (number < 0 || program_host(link) < 0)
		return -1;
	fd = fcntl(number, F_DUPFD, floor);
	return fd < 0 ? -ENOMEM : fd;
}

void program_keep(int number, struct file *file, int host)
{
	kept.number = number;
	kept.file = file ? file_hold(file) : NULL;
	kept.host = host;
}

void fs_program_forget(void)
{
	if (kept.file)
		file_drop(kept.file);
	if (kept.host >= 0)
		close(kept.host);
	kept.number = kept.host = -1;
	kept.file = NULL;
}

int fs_program_number(const char *path)
{
	return program_number(path);
}

long fs_link_text(int fd, char *buf)
{
	struct file *f = fd_remote(fd);
	long n = f ? remote_link_text(f, buf) : -EBADF;

	file_put(f);
	return n;
}
