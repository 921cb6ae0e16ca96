/*
 * filter RULE.. -- PROGRAM ARGS..: runs the program under a seccomp filter that refuses some system calls, as containers
 * do. A rule is a call's number and the error number, NR:ERRNO, or one of
 *   sud        prctl(PR_SET_SYSCALL_USER_DISPATCH) with EPERM
 *   docker     what Docker's default profile refuses of what ashlar might use: EPERM (moby/moby,
 *              profiles/seccomp/default.json: not listed there, or only with CAP_SYS_PTRACE or CAP_SYS_NICE)
 *   podman     and Podman's: EPERM for those it names, ENOSYS for all that it does not know (containers/common,
 *              pkg/seccomp/seccomp.json)
 *   +NR        allowed all the same; must come first
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define RULES 64
#define SUD 59 /* PR_SET_SYSCALL_USER_DISPATCH */

static struct sock_filter code[2 * RULES + 8];
static unsigned short n;
static long allowed[RULES];
static unsigned allowed_n;

static void add(struct sock_filter f)
{
	MUST(n < sizeof(code) / sizeof(code[0]));
	code[n++] = f;
}

static bool is_allowed(long nr)
{
	for (unsigned i = 0; i < allowed_n; i++)
		if (allowed[i] == nr)
			return true;
	return false;
}

static void refuse(long nr, int err)
{
	if (is_allowed(nr))
		return;
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err));
}

static void refuse_sud(void)
{
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 4));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SUD, 0, 1));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
}

static void refuse_docker(void)
{
	static const long calls[] = { SYS_userfaultfd,	 SYS_process_madvise, SYS_pidfd_getfd, SYS_kcmp,
				      SYS_get_mempolicy, SYS_mbind,	      SYS_bpf,	       SYS_perf_event_open,
				      SYS_mount,	 SYS_unshare,	      SYS_keyctl,      SYS_add_key };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		refuse(calls[i], EPERM);
	refuse(SYS_clone3, ENOSYS);
}

static void refuse_podman(void)
{
	static const long named[] = { SYS_userfaultfd,
				      SYS_process_madvise,
				      SYS_process_vm_readv,
				      SYS_process_vm_writev,
				      SYS_ptrace,
				      SYS_kcmp,
				      SYS_membarrier,
				      SYS_get_mempolicy,
				      SYS_mbind,
				      SYS_bpf,
				      SYS_perf_event_open };
	static const long unknown[] = { SYS_io_uring_setup, SYS_io_uring_enter, SYS_futex_waitv, SYS_memfd_secret,
					SYS_landlock_create_ruleset };

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		refuse(named[i], EPERM);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		refuse(unknown[i], ENOSYS);
}

static void rule(const char *text)
{
	char *end;
	long nr;

	if (strcmp(text, "sud") == 0) {
		refuse_sud();
	} else if (strcmp(text, "docker") == 0) {
		refuse_docker();
	} else if (strcmp(text, "podman") == 0) {
		refuse_podman();
	} else if (text[0] == '+') {
		MUST(allowed_n < RULES);
		allowed[allowed_n++] = strtol(text + 1, NULL, 0);
	} else {
		nr = strtol(text, &end, 0);
		MUST(*end == ':');
		refuse(nr, atoi(end + 1));
	}
}

int main(int argc, char **argv)
{
	struct sock_fprog prog = { .filter = code };
	int i = 1;

	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		rule(argv[i]);
	MUST(i + 1 < argc);
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	prog.len = n;
	MUST(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	MUST(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
	execvp(argv[i + 1], argv + i + 1);
	perror(argv[i + 1]);
	return 127;
}
