/*
 * Provider `local` against a peer that speaks to its socket by hand: frames and descriptors of every wrong kind end the
 * connection and leave no descriptor behind; other users are turned away; socket files come and go.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "net/local/local.h"
#include "net_owner.h"

static struct owner owner;
static struct net *net;
static uint64_t fds_there;

static uint64_t owner_fds(void)
{
	struct owner_cmd cmd = { .op = OWNER_FDS };
	struct net_conn *c;
	struct owner_ans a;

	assert_int_equal(net_connect(net, owner.addr, 1000, &c), 0);
	assert_int_equal(owner_ask(c, &cmd, &a), 0);
	net_conn_close(c);
	return a.value;
}

static int start(void **state)
{
	log_open("test", LOG_ERROR);
	owner_start("local", &owner);
	net = net_for_test("local", 0);
	fds_there = owner_fds();
	return 0;
}

static int end(void **state)
{
	net_close(net);
	owner_end(&owner);
	return 0;
}

static int raw_socket(void)
{
	struct sockaddr_un sa;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(local_address_parse(owner.addr, &sa, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static void raw_send(int s, const void *buf, size_t len, const int *fds, unsigned n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
	}
	assert_int_equal(sendmsg(s, &m, MSG_NOSIGNAL), len);
}

/* What is sent is a breach: the owner closes, and is as it was. */
static void is_breach(const void *buf, size_t len, const int *fds, unsigned n)
{
	int s = raw_socket();
	char c;

	raw_send(s, buf, len, fds, n);
	assert_true(recv(s, &c, 1, 0) <= 0);
	close(s);
	assert_int_equal(owner_fds(), fds_there);
}

static int region(uint64_t bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static struct local_frame key_frame(void)
{
	return (struct local_frame){
		.kind = LOCAL_KEY, .access = NET_READ | NET_WRITE, .id = { 1, 2 }, .bytes = PAGE_BYTES
	};
}

static void frames(void **state)
{
	struct {
		struct local_frame f;
		uint8_t rest[MSG_BYTES_MAX + 1];
	} m = { .f.kind = LOCAL_MESSAGE };

	for (size_t len = 0; len <= sizeof(m.f); len += 4)
		is_breach(&m, len, NULL, 0); /* cut short, or no message behind it */
	is_breach(&m, sizeof(m.f) + MSG_BYTES_MAX + 1, NULL, 0);
	m.f.access = 1;
	is_breach(&m, sizeof(m.f) + 8, NULL, 0);
	memset(&m, 0xff, sizeof(m));
	is_breach(&m, sizeof(m.f) + 8, NULL, 0);
	memset(&m, 0, sizeof(m));
	is_breach(&m, sizeof(m.f) + 8, NULL, 0);
}

static void ancillary(void **state)
{
	struct {
		struct local_frame f;
		uint8_t rest[64];
	} m = { .f = key_frame() };
	int fds[64];

	for (int i = 0; i < 64; i++)
		fds[i] = region(PAGE_BYTES, F_SEAL_SHRINK);
	is_breach(&m, sizeof(m.f), NULL, 0);	/* a key without a descriptor */
	is_breach(&m, sizeof(m.f), fds, 2);	/* with two */
	is_breach(&m, sizeof(m.f), fds, 64);	/* with many */
	is_breach(&m, sizeof(m.f) + 8, fds, 1); /* with bytes behind it */
	is_breach(&m, 8, fds, 1);		/* cut short */
	is_breach(&m, 1, fds, 64);
	m.f = (struct local_frame){ .kind = LOCAL_MESSAGE };
	is_breach(&m, sizeof(m.f) + 8, fds, 1); /* a message with a descriptor */
	is_breach(&m, sizeof(m.f) + 8, fds, 64);
	m.f.kind = 7;
	is_breach(&m, sizeof(m.f), fds, 1);
	for (int i = 0; i < 64; i++)
		close(fds[i]);
}

static void is_bad_region(int fd)
{
	struct local_frame f = key_frame();

	if (fd < 0) /* this machine's file systems do not offer it */
		return;
	is_breach(&f, sizeof(f), &fd, 1);
	close(fd);
}

static void not_regions(void **state)
{
	struct local_frame f;
	char path[32];
	int p[2], fd;

	assert_int_equal(pipe(p), 0);
	is_bad_region(p[0]);
	is_bad_region(p[1]);
	is_bad_region(open("/dev/zero", O_RDWR));
	is_bad_region(open("/proc/self/exe", O_RDONLY));
	is_bad_region(open("/", O_PATH));
	is_bad_region(open("/tmp", O_TMPFILE | O_RDWR, 0600));
	is_bad_region(open("/dev/shm", O_TMPFILE | O_RDWR, 0600)); /* as a memfd, but can shrink */
	is_bad_region(socket(AF_UNIX, SOCK_STREAM, 0));
	is_bad_region(region(PAGE_BYTES, F_SEAL_GROW));	      /* can shrink */
	is_bad_region(region(PAGE_BYTES - 1, F_SEAL_SHRINK)); /* smaller than said */
	/* less, or more, than the access that is said */
	fd = region(PAGE_BYTES, F_SEAL_SHRINK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	is_bad_region(open(path, O_RDONLY));
	f = key_frame();
	f.access = NET_READ;
	is_breach(&f, sizeof(f), &fd, 1);
	f.access = 0;
	is_breach(&f, sizeof(f), &fd, 1);
	f.access = 7;
	is_breach(&f, sizeof(f), &fd, 1);
	f = key_frame();
	f.bytes = 0;
	is_breach(&f, sizeof(f), &fd, 1);
	f.bytes = UINT64_MAX;
	is_breach(&f, sizeof(f), &fd, 1);
	close(fd);
}

/* Good keys that nobody takes up: bounded while the connection lasts, gone with it. */
static void flood(void **state)
{
	struct local_frame f = key_frame();
	int s = raw_socket(), fd = region(PAGE_BYTES, F_SEAL_SHRINK);

	for (unsigned i = 0; i < 10 * LOCAL_KEYS_MAX; i++) {
		f.id[0] = i;
		raw_send(s, &f, sizeof(f), &fd, 1);
	}
	assert_in_range(owner_fds(), fds_there, fds_there + LOCAL_KEYS_ACCEPTED + 1);
	close(s);
	for (int i = 0; i < 10000 && owner_fds() != fds_there; i++)
		usleep(1000);
	assert_int_equal(owner_fds(), fds_there);
	close(fd);
}

/* A connecting side that has a listener of ours in this process, on a loop. */
static struct loop *loop;
static unsigned n_accepted;

static void accept_and_close(void *arg, struct net_conn *conn)
{
	n_accepted++;
	net_conn_close(conn);
}

static void stop(void *arg)
{
	loop_stop(loop);
}

static void run_ms(unsigned ms)
{
	struct loop_timer t = { .fn = stop };

	loop_timer_set(loop, &t, loop_now(loop) + ms * NS_PER_MS);
	assert_int_equal(loop_run(loop), 0);
}

/* Another user: turned away, counted. Only root can become another. */
static void other_users(void **state)
{
	struct net_options opt = { 0 };
	struct net_listener *l;
	struct net *mine;
	uint64_t failures;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(loop_open(&loop), 0);
	opt.loop = loop;
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(net_open("local", &opt, &mine), 0);
	assert_int_equal(net_listen(mine, "local:auto", accept_and_close, NULL, &l), 0);
	n_accepted = 0;
	failures = net_stats(mine)->failures;
	for (uid_t uid = 0; uid < 3; uid++) { /* root may; others not */
		pid = fork();
		if (!pid) {
			struct net_conn *c;

			if (seteuid(0) || setuid(uid))
				_exit(1);
			net_connect(net, net_listener_addr(l), 1000, &c);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	run_ms(20);
	assert_int_equal(n_accepted, 1);
	assert_int_equal(net_stats(mine)->failures, failures + 2);
	net_listener_close(l);
	net_close(mine);
	loop_close(loop);
	assert_int_equal(seteuid(0), 0);
}

static void socket_files(void **state)
{
	char dir[] = "/tmp/ashlar-test-XXXXXX", addr[ADDR_BYTES], *path = addr + strlen("local:");
	struct net_options opt = { 0 };
	struct net_listener *l, *second;
	struct net_conn *c;
	struct net *mine;
	struct stat st;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	snprintf(addr, sizeof(addr), "local:%s/socket", dir);
	assert_int_equal(loop_open(&loop), 0);
	opt.loop = loop;
	assert_int_equal(net_open("local", &opt, &mine), 0);
	assert_int_equal(net_connect(net, addr, 100, &c), -ENOENT);
	assert_int_equal(net_listen(mine, addr, accept_and_close, NULL, &l), 0);
	assert_string_equal(net_listener_addr(l), addr);
	n_accepted = 0;
	assert_int_equal(net_connect(net, addr, 100, &c), 0);
	run_ms(10);
	assert_int_equal(n_accepted, 1);
	net_conn_close(c);
	/* in use: refused, and the other is not harmed */
	assert_int_equal(net_listen(mine, addr, accept_and_close, NULL, &second), -EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	net_listener_close(l);
	assert_int_equal(stat(path, &st), -1);
	/* left behind by a listener that was killed: replaced */
	pid = fork();
	if (!pid) {
		net_listen(mine, addr, accept_and_close, NULL, &l);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(net_connect(net, addr, 100, &c), -ECONNREFUSED);
	assert_int_equal(net_listen(mine, addr, accept_and_close, NULL, &l), 0);
	net_listener_close(l);
	/* a file that is no socket is nobody's to remove */
	close(open(path, O_CREAT | O_RDWR, 0600));
	assert_int_equal(net_listen(mine, addr, accept_and_close, NULL, &l), -EADDRINUSE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
	net_close(mine);
	loop_close(loop);
}

static void addresses(void **state)
{
	static const char *const bad[] = { "local:", "local:/", "local:@", "local:name", "tcp:/x", "/x" };
	char longest[ADDR_BYTES + 8] = "local:@", addr[ADDR_BYTES];
	struct sockaddr_un sa;
	socklen_t len;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(local_address_parse(bad[i], &sa, &len), -EINVAL);
	memset(longest + 7, 'x', ADDR_BYTES - 7);
	assert_int_equal(local_address_auto(longest, addr), -EINVAL);
	longest[ADDR_BYTES - 1] = '\0';
	assert_int_equal(local_address_auto(longest, addr), 0);
	assert_int_equal(local_address_parse(addr, &sa, &len), 0);
	assert_int_equal(local_address_auto("local:auto", addr), 0);
	assert_int_equal(strncmp(addr, "local:@", 7), 0);
	assert_true(strlen(addr) >= 7 + 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames),    cmocka_unit_test(ancillary),   cmocka_unit_test(not_regions),
		cmocka_unit_test(flood),     cmocka_unit_test(other_users), cmocka_unit_test(socket_files),
		cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, start, end);
}
