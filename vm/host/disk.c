/*
 * Files of the storage node: a root that nobody writes, a folder or an image of a file system, and an empty disk for what
 * is written. The disk is a file with holes, so it takes only what is in it, and it outlives the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "vm/host/host.h"

/* What the kernel of the machines can mount, by what lies at its place in the image. */
static const char *image_type(int fd)
{
	unsigned char super[2];
	char magic[4];

	if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && memcmp(magic, "hsqs", 4) == 0)
		return "squashfs";
	if (pread(fd, super, sizeof(super), 1024 + 56) == sizeof(super) && super[0] == 0x53 && super[1] == 0xef)
		return "ext4";
	return NULL;
}

int root_check(struct plan *p, const char *given)
{
	int fd = open(given, O_RDONLY | O_CLOEXEC);
	const char *type = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || !realpath(given, p->root)) {
		if (fd >= 0)
			close(fd);
		return cli_error("cannot use --root %s: %s", given, strerror(errno));
	}
	if (S_ISDIR(st.st_mode))
		type = "9p";
	else if (S_ISREG(st.st_mode))
		type = image_type(fd);
	close(fd);
	if (!type)
		return cli_error("cannot use --root %s: neither a folder nor an image of ext4 or squashfs", given);
	snprintf(p->root_type, sizeof(p->root_type), "%s", type);
	return 0;
}

int disk_make(const struct standing *s, const struct plan *p, const struct vm_node *node)
{
	char path[PATH_MAX], search[PATH_MAX];
	const char *old = getenv("PATH");
	int fd, status = 0;
	pid_t pid;

	standing_path(s, node->name, ".disk", path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)p->disk_bytes)) {
		if (fd >= 0)
			close(fd);
		return cli_error("cannot make the disk %s: %s", path, strerror(errno));
	}
	close(fd);
	pid = fork();
	if (pid == 0) {
		/* Where an ordinary user's PATH does not lead */
		snprintf(search, sizeof(search), "%s:/usr/sbin:/sbin", old ? old : "/usr/bin:/bin");
		setenv("PATH", search, 1);
		execlp("mke2fs", "mke2fs", "-q", "-F", "-t", "ext4", "-E", "nodiscard,root_owner=0:0", "-m", "0", path,
		       (char *)NULL);
		_exit(cli_error("cannot run mke2fs: %s (package e2fsprogs)", strerror(errno)));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return cli_error("the disk %s cannot be formatted", path);
	return 0;
}
