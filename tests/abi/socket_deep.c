/* Calls on sockets whose arguments point further: filters, the interfaces, several messages within a time. */
#include <linux/filter.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include "tests/abi/abi.h"

static char *far; /* not resident when it matters */

static void filters(int to, int from)
{
	struct sock_filter *f = (struct sock_filter *)far;
	struct sock_fprog p = { .len = 1, .filter = f };

	f[0] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 2);
	abi_press();
	CHECK(setsockopt(from, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)) == 0);
	CHECK(send(to, "filtered", 8, 0) == 8 && recv(from, far, 20, 0) == 2);
	CHECK(setsockopt(from, SOL_SOCKET, SO_DETACH_FILTER, &p, sizeof(p)) == 0);
	CHECK(send(to, "filtered", 8, 0) == 8 && recv(from, far, 20, 0) == 8);
	CHECK_ERR(setsockopt(from, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p) - 1), EINVAL);
	CHECK_ERR(setsockopt(from, SOL_SOCKET, SO_ATTACH_FILTER, (void *)8, sizeof(p)), EFAULT);
	p.len = 0;
	CHECK_ERR(setsockopt(from, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), EINVAL);
	p = (struct sock_fprog){ .len = 1, .filter = (void *)8 };
	CHECK_ERR(setsockopt(from, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), EFAULT);
}

static void interfaces(int fd)
{
	struct ifconf c = { .ifc_len = 0 };
	int room;

	CHECK(ioctl(fd, SIOCGIFCONF, &c) == 0);
	room = c.ifc_len;
	CHECK(room % (int)sizeof(struct ifreq) == 0);
	c = (struct ifconf){ .ifc_len = 4096, .ifc_buf = far };
	memset(far, 0, 4096);
	abi_press();
	CHECK(ioctl(fd, SIOCGIFCONF, &c) == 0 && c.ifc_len == room && c.ifc_buf == far);
	printf("%d bytes, the first is \"%s\"\n", room, far);
	c.ifc_len = 8;
	CHECK(ioctl(fd, SIOCGIFCONF, &c) == 0 && c.ifc_len == 0);
	CHECK_ERR(ioctl(fd, SIOCGIFCONF, (void *)8), EFAULT);
}

static void several(int to, int from)
{
	struct mmsghdr m[3] = { 0 };
	struct iovec v[3];
	struct timespec ts = { .tv_sec = 5 };

	for (int i = 0; i < 3; i++) {
		v[i] = (struct iovec){ far + i * 100, 100 };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
		send(to, "message", (size_t)i + 2, 0);
	}
	abi_press();
	CHECK(recvmmsg(from, m, 3, 0, &ts) == 3);
	CHECK(m[0].msg_len == 2 && m[1].msg_len == 3 && m[2].msg_len == 4 && !memcmp(far + 200, "mess", 4));
	CHECK(ts.tv_sec == 4 && ts.tv_nsec > 0);
	send(to, "last", 4, 0);
	ts = (struct timespec){ 0 };
	CHECK(recvmmsg(from, m, 3, 0, &ts) == 1 && ts.tv_sec == 0 && ts.tv_nsec == 0);
	CHECK_ERR(recvmmsg(from, m, 3, MSG_DONTWAIT, &ts), EAGAIN);
	ts.tv_nsec = 1000000000;
	CHECK_ERR(recvmmsg(from, m, 3, MSG_DONTWAIT, &ts), EINVAL);
}

int main(void)
{
	int pair[2], inet = socket(AF_INET, SOCK_DGRAM, 0);

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 && inet >= 0);
	far = abi_map(2 * PAGE);
	filters(pair[0], pair[1]);
	interfaces(inet);
	several(pair[0], pair[1]);
	puts("served");
	return abi_result();
}
