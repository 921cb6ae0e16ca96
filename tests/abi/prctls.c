/* prctl and arch_prctl: what a single process may ask. */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "tests/abi/abi.h"

static char *name;

static void *thread(void *arg)
{
	char own[20] = "";

	CHECK(prctl(PR_SET_NAME, "second") == 0);
	CHECK(prctl(PR_GET_NAME, own) == 0 && !strcmp(own, "second"));
	CHECK(pthread_setname_np(pthread_self(), "third") == 0);
	CHECK(pthread_getname_np(pthread_self(), own, sizeof(own)) == 0 && !strcmp(own, "third"));
	return NULL;
}

int main(void)
{
	int *v = (int *)abi_map(PAGE);
	unsigned long fs = 1, own_fs;
	pthread_t id;

	name = abi_map(2 * PAGE);
	CHECK(prctl(PR_GET_NAME, name) == 0);
	printf("name %s\n", name);
	strcpy(name + PAGE - 5, "a name that is too long");
	abi_press();
	CHECK(prctl(PR_SET_NAME, name + PAGE - 5) == 0);
	CHECK(prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "a name that is "));
	CHECK_ERR(prctl(PR_SET_NAME, 8), EFAULT);
	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	CHECK(prctl(PR_GET_NAME, name) == 0 && !strcmp(name, "a name that is "));

	CHECK(prctl(PR_GET_DUMPABLE) == 1);
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
	CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
	CHECK(prctl(PR_GET_PDEATHSIG, v) == 0 && *v == 0);
	CHECK(prctl(PR_SET_PDEATHSIG, 10) == 0);
	CHECK(prctl(PR_GET_PDEATHSIG, v) == 0 && *v == 10);
	CHECK(prctl(PR_SET_PDEATHSIG, 0) == 0);
	CHECK_ERR(prctl(PR_GET_PDEATHSIG, 8), EFAULT);
	CHECK(prctl(PR_GET_KEEPCAPS) == 0 && prctl(PR_SET_KEEPCAPS, 1) == 0 && prctl(PR_GET_KEEPCAPS) == 1);
	CHECK_ERR(prctl(PR_SET_KEEPCAPS, 2), EINVAL);
	CHECK(prctl(PR_GET_TIMERSLACK) > 0 && prctl(PR_SET_TIMERSLACK, 70000) == 0 &&
	      prctl(PR_GET_TIMERSLACK) == 70000);
	CHECK(prctl(PR_CAPBSET_READ, CAP_CHOWN) >= 0);
	CHECK_ERR(prctl(PR_CAPBSET_READ, 500), EINVAL);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0) == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && prctl(PR_GET_CHILD_SUBREAPER, v) == 0 && *v == 1);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
	CHECK(prctl(PR_GET_SECUREBITS) >= 0);
	CHECK(prctl(PR_GET_SECCOMP) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
	CHECK(prctl(PR_GET_TIMING) == PR_TIMING_STATISTICAL);
	CHECK_ERR(prctl(4711, 0), EINVAL);
	CHECK(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, name, PAGE, "named") == 0 || errno == EINVAL);
	CHECK(prctl(PR_GET_TSC, v) == 0 && *v == PR_TSC_ENABLE);

	CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0);
	__asm__("mov %%fs:0, %0" : "=r"(own_fs));
	CHECK(fs == own_fs);
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_FS, fs) == 0);
	CHECK_ERR(syscall(SYS_arch_prctl, ARCH_GET_FS, 8), EFAULT);
	CHECK_ERR(syscall(SYS_arch_prctl, 0x7777, 8), EINVAL);
	puts("prctl");
	return abi_result();
}
