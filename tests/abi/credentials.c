/*
 * Users, groups, capabilities, umask: as the kernel says, for root (who becomes others on the way) and for an ordinary
 * user. Files are another matter: docs/security.md.
 */
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

static uid_t *u;
static gid_t *g, *groups;

static void show(const char *what)
{
	abi_press();
	CHECK(getresuid(&u[0], &u[1], &u[2]) == 0 && getresgid(&g[0], &g[1], &g[2]) == 0);
	printf("%s: %u %u %u, %u %u %u, files %d %d, %d groups\n", what, u[0], u[1], u[2], g[0], g[1], g[2],
	       setfsuid((uid_t)-1), setfsgid((gid_t)-1), getgroups(0, NULL));
	CHECK(getuid() == u[0] && geteuid() == u[1] && getgid() == g[0] && getegid() == g[1]);
}

static void capabilities(const char *what)
{
	struct __user_cap_header_struct *h = (void *)abi_map(PAGE);
	struct __user_cap_data_struct *d = (void *)(abi_map(2 * PAGE) + PAGE - 12);

	h->version = _LINUX_CAPABILITY_VERSION_3;
	abi_press();
	CHECK(syscall(SYS_capget, h, d) == 0);
	printf("%s: effective %x %x permitted %x inheritable %x\n", what, d[0].effective, d[1].effective,
	       d[0].permitted, d[0].inheritable);
	CHECK(syscall(SYS_capset, h, d) == 0);
	d[0].effective &= ~(1u << CAP_SYS_TIME);
	d[0].permitted &= ~(1u << CAP_SYS_TIME);
	CHECK(syscall(SYS_capset, h, d) == 0);
	d[0].permitted |= 1u << CAP_SYS_TIME;
	CHECK_ERR(syscall(SYS_capset, h, d), EPERM);
	h->version = 77;
	CHECK_ERR(syscall(SYS_capget, h, d), EINVAL);
	CHECK(h->version == _LINUX_CAPABILITY_VERSION_3);
	h->version = 0;
	CHECK(syscall(SYS_capget, h, NULL) == 0); /* asks for the version */
	CHECK_ERR(syscall(SYS_capget, 8, d), EFAULT);
	h->version = _LINUX_CAPABILITY_VERSION_3;
	h->pid = 0x3ffff0;
	CHECK_ERR(syscall(SYS_capget, h, d), ESRCH);
}

static void *other(void *arg)
{
	while (!*(volatile int *)arg)
		usleep(1000);
	CHECK(getuid() == 1234 && geteuid() == 1234 && getegid() == 1235);
	return NULL;
}

static void ordinary(void)
{
	uid_t me = getuid();
	gid_t us = getgid();

	CHECK_ERR(setuid(me + 1), EPERM);
	CHECK_ERR(setgid(us + 1), EPERM);
	CHECK_ERR(setreuid((uid_t)-1, 0), EPERM);
	CHECK_ERR(setresgid(0, 0, 0), EPERM);
	CHECK_ERR(setgroups(0, NULL), EPERM);
	CHECK(setuid(me) == 0 && setgid(us) == 0 && setresuid(me, (uid_t)-1, me) == 0);
	CHECK(setfsuid(0) == (int)me && setfsuid((uid_t)-1) == (int)me);
	CHECK_ERR(prctl(PR_CAPBSET_DROP, CAP_CHOWN), EPERM);
	show("ordinary");
}

static void root(void)
{
	volatile int changed = 0;
	pthread_t id;

	groups[0] = 7;
	groups[1] = 8;
	groups[2] = 9;
	abi_press();
	CHECK(setgroups(3, groups) == 0);
	memset(groups, 0, 12);
	CHECK(getgroups(3, groups) == 3 && groups[2] == 9);
	CHECK_ERR(getgroups(2, groups), EINVAL);
	CHECK_ERR(syscall(SYS_getgroups, -1, groups), EINVAL);
	CHECK_ERR(setgroups(70000, groups), EINVAL);
	CHECK_ERR(setgroups(3, (void *)8), EFAULT);
	CHECK(setfsuid(1234) == 0 && setfsuid((uid_t)-1) == 1234 && setfsuid(0) == 1234);
	CHECK(setegid(1235) == 0);
	show("egid");
	CHECK(setegid(0) == 0);
	CHECK(setresuid(1234, 1234, 0) == 0);
	show("for a while");
	CHECK_ERR(setgroups(0, NULL), EPERM);
	CHECK(setresuid(0, 0, 0) == 0);
	capabilities("root");
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
	/* all threads change, and for good */
	pthread_create(&id, NULL, other, (void *)&changed);
	CHECK(setgid(1235) == 0 && setuid(1234) == 0);
	changed = 1;
	pthread_join(id, NULL);
	show("dropped");
	CHECK_ERR(setuid(0), EPERM);
	capabilities("kept");
}

int main(void)
{
	u = (uid_t *)abi_map(PAGE);
	g = (gid_t *)abi_map(PAGE);
	groups = (gid_t *)(abi_map(2 * PAGE) + PAGE - 4);
	CHECK(umask(027) <= 0777 && umask(0777777) == 027 && umask(022) == 0777);
	CHECK_ERR(syscall(SYS_getresuid, u, 8, u), EFAULT);
	if (getuid() == 0)
		root();
	ordinary();
	capabilities("at last");
	return abi_result();
}
