/* Names of Unix sockets: relative to the working directory, with the umask; as they are told; no room, too long. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "tests/abi/abi.h"

static socklen_t name_of(struct sockaddr_un *un, const char *path)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strcpy(un->sun_path, path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

int main(void)
{
	char dir[] = "/tmp/abi-unix.XXXXXX", buf[8];
	int s = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), n;
	int d = socket(AF_UNIX, SOCK_DGRAM, 0), e = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un un, seen;
	struct iovec v = { "two", 3 };
	struct msghdr m = { .msg_name = &un, .msg_iov = &v, .msg_iovlen = 1 };
	struct stat st;
	socklen_t len;

	MUST(mkdtemp(dir) && chdir(dir) == 0);
	umask(027);
	CHECK(bind(s, (struct sockaddr *)&un, name_of(&un, "stream")) == 0 && listen(s, 5) == 0);
	CHECK(lstat("stream", &st) == 0 && st.st_mode == (S_IFSOCK | 0750));
	CHECK_ERR(bind(c, (struct sockaddr *)&un, name_of(&un, "stream")), EADDRINUSE);
	CHECK_ERR(bind(c, (struct sockaddr *)&un, name_of(&un, "no/such")), ENOENT);
	CHECK_ERR(bind(c, (struct sockaddr *)&un, 200), EINVAL);
	CHECK_ERR(bind(c, (struct sockaddr *)8, 20), EFAULT);
	MUST(mkdir("sub", 0700) == 0 && chdir("sub") == 0);
	CHECK_ERR(connect(c, (struct sockaddr *)&un, name_of(&un, "stream")), ENOENT);
	CHECK(connect(c, (struct sockaddr *)&un, name_of(&un, "../stream")) == 0);
	len = sizeof(seen);
	CHECK(getpeername(c, (struct sockaddr *)&seen, &len) == 0 && !strcmp(seen.sun_path, "stream"));
	len = 5;
	seen.sun_path[3] = 'X';
	CHECK(getpeername(c, (struct sockaddr *)&seen, &len) == 0 && len == 9 && seen.sun_path[3] == 'X');
	len = (socklen_t)-1;
	CHECK_ERR(getpeername(c, (struct sockaddr *)&seen, &len), EINVAL);
	len = 1u << 30;
	CHECK(getpeername(c, (struct sockaddr *)&seen, &len) == 0 && len == 9);

	CHECK(bind(d, (struct sockaddr *)&un, name_of(&un, "dgram")) == 0);
	CHECK(bind(e, (struct sockaddr *)&un, name_of(&un, "other")) == 0);
	CHECK(sendto(e, "one", 3, 0, (struct sockaddr *)&un, name_of(&un, "dgram")) == 3);
	m.msg_namelen = name_of(&un, "dgram");
	CHECK(sendmsg(e, &m, 0) == 3);
	len = sizeof(seen);
	CHECK(recvfrom(d, buf, 8, 0, (struct sockaddr *)&seen, &len) == 3 && len == 8 &&
	      !strcmp(seen.sun_path, "other"));
	m.msg_name = &seen;
	m.msg_namelen = sizeof(seen);
	v = (struct iovec){ buf, 8 };
	CHECK(recvmsg(d, &m, 0) == 3 && m.msg_namelen == 8 && !memcmp(buf, "two", 3));
	n = unlink("dgram") || unlink("other") || chdir("..") || rmdir("sub") || unlink("stream") || rmdir(dir);
	CHECK(n == 0);
	puts("named");
	return abi_result();
}
