/*
 * Descriptors of files in messages (SCM_RIGHTS): what comes is the open file description that was sent, with its offset,
 * status flags and lock; also when the sender has closed it, or has ended, before the message is read.
 */
// also: ofi
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "abi.h"

#define MOST 8

static int pair[2];

/* Room for the descriptors of one message. */
union control {
	char bytes[CMSG_SPACE(MOST * sizeof(int))];
	struct cmsghdr align;
};

static long send_fds(int sock, const int *fds, unsigned n)
{
	union control ctl = { 0 };
	struct iovec one = { "x", 1 };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &ctl };
	struct cmsghdr *c = &ctl.align;

	m.msg_controllen = CMSG_SPACE(n * sizeof(int));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	return sendmsg(sock, &m, 0);
}

/* How many came; control data for `room` of them. */
static int recv_fds(int sock, int *fds, size_t room, int flags, int *told)
{
	union control ctl = { 0 };
	char x;
	struct iovec one = { &x, 1 };
	struct msghdr m = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = room };
	struct cmsghdr *c;
	int n = 0;

	if (recvmsg(sock, &m, flags) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)n * sizeof(int));
	}
	if (told)
		*told = m.msg_flags;
	return n;
}

static int recv_one(int sock)
{
	int fds[MOST], n = recv_fds(sock, fds, CMSG_SPACE(sizeof(int)), 0, NULL);

	return n == 1 ? fds[0] : -1;
}

static bool reads(int fd, const char *text)
{
	char got[64] = { 0 };

	return read(fd, got, strlen(text)) == (ssize_t)strlen(text) && !strcmp(got, text);
}

static int open_text(const char *name, int flags)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	MUST(fd >= 0 && write(fd, "0123456789", 10) == 10);
	close(fd);
	fd = open(name, flags);
	MUST(fd >= 0);
	return fd;
}

/* A child that never had the file: it was opened after the fork. step by step by the bytes of the socket. */
static void received_by_child(void)
{
	int fd, status, got;
	pid_t pid = fork();

	MUST(pid >= 0);
	if (!pid) {
		got = recv_one(pair[1]);
		CHECK(got >= 0 && fcntl(got, F_GETFD) == 0);
		CHECK(reads(got, "345"));
		CHECK((fcntl(got, F_GETFL) & (O_ACCMODE | O_APPEND)) == O_RDWR);
		CHECK(fcntl(got, F_SETFL, O_APPEND) == 0);
		CHECK(flock(got, LOCK_EX) == 0);
		CHECK(write(pair[1], "d", 1) == 1);
		CHECK(reads(pair[1], "g"));
		CHECK(write(got, "ab", 2) == 2); /* at the end */
		exit(abi_result());
	}
	fd = open_text("passed", O_RDWR);
	CHECK(reads(fd, "012"));
	CHECK(send_fds(pair[0], &fd, 1) == 1);
	CHECK(reads(pair[0], "d"));
	CHECK(lseek(fd, 0, SEEK_CUR) == 6);
	CHECK(fcntl(fd, F_GETFL) & O_APPEND);
	CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0); /* one description, one lock */
	CHECK(reads(fd, "67"));
	CHECK(write(pair[0], "g", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == 12);
	CHECK(lseek(fd, 8, SEEK_SET) == 8 && reads(fd, "89ab"));
	close(fd);
}

/* The sender closes it before, or ends before: the message holds it. */
static void sender_is_gone(void)
{
	int fd, status, other;
	pid_t pid;

	fd = open_text("left", O_RDONLY);
	CHECK(reads(fd, "01") && flock(fd, LOCK_EX) == 0);
	CHECK(send_fds(pair[0], &fd, 1) == 1);
	CHECK(unlink("left") == 0);
	close(fd);
	CHECK((fd = recv_one(pair[1])) >= 0);
	CHECK(reads(fd, "23"));
	CHECK_ERR(write(fd, "x", 1), EBADF);
	close(fd);

	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		fd = open_text("last", O_RDWR);
		CHECK(reads(fd, "0123") && flock(fd, LOCK_EX) == 0);
		CHECK(send_fds(pair[0], &fd, 1) == 1);
		exit(abi_result());
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	other = open("last", O_RDONLY);
	CHECK_ERR(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK); /* the lock is there as long as the description is */
	CHECK((fd = recv_one(pair[1])) >= 0);
	CHECK(reads(fd, "4567"));
	CHECK_ERR(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	close(fd);
	CHECK(flock(other, LOCK_SH | LOCK_NB) == 0);
	close(other);
}

/* Several at once, host objects among them; the flag of the receiver; a look first, then the message. */
static void several(void)
{
	int fds[MOST], got[MOST], pipes[2], flags, n;
	struct stat a, b;

	MUST(pipe(pipes) == 0);
	fds[0] = open_text("several", O_RDONLY);
	fds[1] = pipes[1];
	fds[2] = open(".", O_RDONLY | O_DIRECTORY);
	fds[3] = fds[0];
	fds[4] = open("several", O_PATH);
	CHECK(send_fds(pair[0], fds, 5) == 1);
	CHECK(recv_fds(pair[1], got, CMSG_SPACE(5 * sizeof(int)), MSG_PEEK, &flags) == 5 && !(flags & MSG_CTRUNC));
	CHECK(reads(got[0], "0"));
	for (n = 0; n < 5; n++)
		close(got[n]);
	n = recv_fds(pair[1], got, CMSG_SPACE(5 * sizeof(int)), MSG_CMSG_CLOEXEC, &flags);
	MUST(n == 5);
	CHECK(!(flags & MSG_CTRUNC));
	for (n = 0; n < 5; n++)
		CHECK(fcntl(got[n], F_GETFD) == FD_CLOEXEC);
	CHECK(reads(got[0], "1") && reads(got[3], "2") && reads(fds[0], "3"));
	CHECK(write(got[1], "p", 1) == 1 && reads(pipes[0], "p"));
	CHECK(fstat(got[2], &a) == 0 && stat(".", &b) == 0 && a.st_ino == b.st_ino);
	CHECK(openat(got[2], "several", O_RDONLY) >= 0);
	CHECK(fstat(got[4], &a) == 0 && a.st_size == 10);
	CHECK_ERR(read(got[4], &flags, 1), EBADF);
	/* the description is there as long as one of its numbers is */
	close(fds[0]);
	close(got[0]);
	CHECK(reads(got[3], "4"));
	close(got[3]);
	CHECK_ERR(read(got[3], &flags, 1), EBADF);
}

/* Too little room: what does not fit is dropped, and said. */
static void truncated(void)
{
	int fds[3], got[MOST], flags, i, low;

	for (i = 0; i < 3; i++)
		fds[i] = open_text("short", O_RDONLY);
	low = dup(0);
	close(low);
	CHECK(send_fds(pair[0], fds, 3) == 1);
	CHECK(recv_fds(pair[1], got, CMSG_LEN(2 * sizeof(int)), 0, &flags) == 2 && flags & MSG_CTRUNC);
	CHECK(reads(got[1], "01") && reads(fds[1], "23"));
	close(got[0]);
	close(got[1]);
	CHECK(send_fds(pair[0], fds, 3) == 1);
	CHECK(recv_fds(pair[1], got, 0, 0, &flags) == 0 && flags & MSG_CTRUNC);
	CHECK(send_fds(pair[0], fds, 3) == 1);
	CHECK(reads(pair[1], "x")); /* read drops them as well */
	i = dup(0);
	CHECK(i == low);
	close(i);
	fds[1] = 9999;
	CHECK_ERR(send_fds(pair[0], fds, 3), EBADF);
	fds[1] = fds[0];
	for (i = 0; i < 3; i++)
		close(fds[i]);
}

/* From one to the next, each ending once it has passed the file on; the last runs another program with it. */
static void handed_on(void)
{
	char number[16];
	int fd, i, status;
	pid_t pid;

	fd = open_text("onward", O_RDWR);
	CHECK(send_fds(pair[0], &fd, 1) == 1);
	close(fd);
	for (i = 0; i < 3; i++) {
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			fd = recv_one(pair[1]);
			CHECK(fd >= 0 && read(fd, number, 1) == 1);
			CHECK(send_fds(pair[0], &fd, 1) == 1);
			exit(abi_result());
		}
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		fd = recv_one(pair[1]);
		snprintf(number, sizeof(number), "%d", fd);
		execl("/proc/self/exe", "pass_files", number, NULL);
		exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

int main(int argc, char **argv)
{
	if (argc > 1) { /* handed_on */
		CHECK(reads(atoi(argv[1]), "3456"));
		return abi_result();
	}
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	received_by_child();
	sender_is_gone();
	several();
	truncated();
	handed_on();
	puts("passed");
	return abi_result();
}
