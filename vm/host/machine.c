/* Starting the parts of a VM rack: QEMUs, and the switch between them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "vm/host/host.h"
#include "vm/switch/switch.h"
#include "vm/wire.h"

#define LOCK_TRIES 100u
#define LOCK_PAUSE_MS 100
#define QEMU "qemu-system-x86_64"
#define ARGS_MAX 96
#define KERNEL_LINE_MAX 1900	 /* the kernel takes 2047 bytes */
#define MEMORY_KEPT (128u << 20) /* of a memory node, for its kernel and its monitor */

struct args {
	char *argv[ARGS_MAX + 1];
	unsigned n;
};

/* The words live until exec. */
static void add(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (a->n == ARGS_MAX || vasprintf(&a->argv[a->n], fmt, ap) < 0)
		_exit(cli_error("cannot start a machine: too many arguments"));
	a->n++;
	va_end(ap);
}

/* ---- the kernel's command line: vm/guest/init says what it means ---- */

static void line_add(char *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void line_add(char *line, const char *fmt, ...)
{
	size_t len = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + len, KERNEL_LINE_MAX - len, fmt, ap);
	va_end(ap);
}

static void line_monitor(char *line, const struct plan *p, const struct vm_node *node)
{
	static const char *const monitor[VM_KINDS] = { "gmm", "pcomponent", "mcomponent", "scomponent" };
	const struct vm_node *gmm = plan_first(p, VM_GMM);

	line_add(line, " -- /ashlar/bin/%s --fabric %s", monitor[node->kind], p->fabric);
	if (node->kind == VM_GMM)
		line_add(line, " --listen %s:" VM_NETWORK "%u:%d", p->fabric, node->number, VM_GMM_PORT);
	else
		line_add(line, " --gmm %s:" VM_NETWORK "%u:%d --name %s", p->fabric, gmm->number, VM_GMM_PORT,
			 node->name);
	if (node->kind == VM_PROCESSOR)
		line_add(line, " --node local:@node");
	if (node->kind == VM_MEMORY || node->kind == VM_STORAGE)
		line_add(line, " --listen %s:" VM_NETWORK "%u:%d", p->fabric, node->number, VM_PORT);
	if (node->kind == VM_MEMORY)
		line_add(line, " --size %llu", (unsigned long long)(node->mem_bytes - MEMORY_KEPT));
	if (node->kind == VM_STORAGE)
		line_add(line, " --root /export");
	line_add(line, " --key /run/rack.key");
	if (*p->emulate)
		line_add(line, " --hook emulate:%s", p->emulate);
}

static void line_fill(char *line, const struct plan *p, const struct vm_node *node)
{
	const struct vm_node *gmm = plan_first(p, VM_GMM);

	line[0] = 0;
	line_add(line, "console=ttyS0 quiet panic=-1 mitigations=off");
	line_add(line, " ASHLAR_NODE=%s ASHLAR_KIND=%s", node->name, vm_kind_names[node->kind]);
	line_add(line, " ASHLAR_ADDRESS=" VM_NETWORK "%u ASHLAR_FABRIC=%s", node->number, p->fabric);
	line_add(line, " ASHLAR_GMM=%s:" VM_NETWORK "%u:%d", p->fabric, gmm->number, VM_GMM_PORT);
	if (node->kind == VM_STORAGE)
		line_add(line, " ASHLAR_ROOT=%s", p->root_type);
	line_monitor(line, p, node);
}

/* ---- QEMU ---- */

/* A comma ends a value in QEMU's options; two are one. */
static const char *comma_safe(const char *path, char *safe, size_t bytes)
{
	size_t n = 0;

	for (; *path && n < bytes - 2; path++) {
		safe[n++] = *path;
		if (*path == ',')
			safe[n++] = ',';
	}
	safe[n] = 0;
	return safe;
}

static void args_storage(struct args *a, const struct plan *p, const struct vm_node *node)
{
	static char root[2 * PATH_MAX];

	comma_safe(p->root, root, sizeof(root));
	if (strcmp(p->root_type, "9p") == 0) {
		add(a, "-fsdev");
		add(a, "local,id=root,path=%s,readonly=on,security_model=none,multidevs=remap", root);
		add(a, "-device");
		add(a, "virtio-9p-pci,fsdev=root,mount_tag=root");
	} else {
		add(a, "-drive");
		add(a, "file=%s,if=none,id=root,format=raw,readonly=on", root);
		add(a, "-device");
		add(a, "virtio-blk-pci,drive=root");
	}
	/* Unsafe if this host crashes, with which the rack ends; not if QEMU does. */
	add(a, "-drive");
	add(a, "file=%s.disk,if=none,id=disk,format=raw,cache=unsafe,discard=unmap", node->name);
	add(a, "-device");
	add(a, "virtio-blk-pci,drive=disk");
}

static void args_ports(struct args *a, const struct vm_node *node)
{
	add(a, "-device");
	add(a, "virtio-serial-pci,max_ports=%u", VM_PORTS + 1);
	for (unsigned i = 1; i <= VM_PORTS; i++) {
		add(a, "-chardev");
		add(a, "socket,id=a%u,path=%s.a%u,server=on,wait=off", i, node->name, i);
		add(a, "-device");
		add(a, "virtserialport,nr=%u,chardev=a%u", i, i);
	}
}

/* Paths are relative to the rack's folder. */
static void args_fill(struct args *a, const struct plan *p, const struct vm_node *node)
{
	char line[KERNEL_LINE_MAX];

	line_fill(line, p, node);
	add(a, QEMU);
	add(a, "-nodefaults");
	add(a, "-no-user-config");
	add(a, "-no-reboot");
	add(a, "-name");
	add(a, "%s-%s", p->name, node->name);
	add(a, "-display");
	add(a, "none");
	add(a, "-machine");
	add(a, "q35,accel=%s", p->kvm ? "kvm" : "tcg");
	add(a, "-cpu");
	add(a, "%s", p->kvm ? "host" : "max");
	add(a, "-m");
	add(a, "%lluM", (unsigned long long)(node->mem_bytes >> 20));
	add(a, "-smp");
	add(a, "%u", node->cpus);
	add(a, "-kernel");
	add(a, "%s", p->kernel);
	add(a, "-initrd");
	add(a, "%s", p->initramfs);
	add(a, "-append");
	add(a, "%s", line);
	add(a, "-chardev");
	add(a, "file,id=console,path=%s.console,append=on", node->name);
	add(a, "-serial");
	add(a, "chardev:console");
	add(a, "-qmp");
	add(a, "unix:%s.qmp,server=on,wait=off", node->name);
	add(a, "-netdev");
	add(a, "dgram,id=net,local.type=unix,local.path=%s.net,remote.type=unix,remote.path=%s.sw", node->name,
	    node->name);
	add(a, "-device");
	add(a, "virtio-net-pci,id=nic,netdev=net,mac=52:54:00:4d:00:%02x", node->number);
	add(a, "-device");
	add(a, "virtio-rng-pci");
	add(a, "-fw_cfg");
	add(a, "name=opt/ashlar.key,file=" VM_KEY_FILE);
	args_ports(a, node);
	if (node->kind == VM_STORAGE)
		args_storage(a, p, node);
}

/* Until the child has become what it shall be, or has ended: from then on its pid file says which. */
static int child_wait(const char *name, pid_t pid, const int fd[2])
{
	char byte;

	close(fd[1]);
	while (pid > 0 && read(fd[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(fd[0]);
	return pid > 0 ? 0 : cli_error("cannot start %s: %s", name, strerror(errno));
}

int machine_start(const struct standing *s, const struct plan *p, const struct vm_node *node,
		  const struct signals *signals)
{
	struct args a = { .n = 0 };
	char log[PATH_MAX];
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		return cli_error("cannot start %s: %s", node->name, strerror(errno));
	pid = fork();
	if (pid != 0)
		return child_wait(node->name, pid, fd);
	args_fill(&a, p, node);
	part_detach(s, node->name, standing_path(s, node->name, ".log", log, sizeof(log)), signals);
	if (fchdir(s->fd))
		_exit(cli_error("cannot start %s: %s", node->name, strerror(errno)));
	execvp(QEMU, a.argv);
	_exit(cli_error("cannot run " QEMU ": %s (package qemu-system-x86)", strerror(errno)));
}

/* ---- the switch ---- */

/*
 * A machine that the command had begun when it was killed holds the command's lock until it is QEMU: a moment, or more on a
 * busy machine. 0, 1 (there is nothing any more), or EXIT_ASHLAR.
 */
static int lock_patiently(const char *name, struct standing *s)
{
	int err = EXIT_ASHLAR;

	for (unsigned i = 0; err == EXIT_ASHLAR && i < LOCK_TRIES; i++) {
		if (i)
			(void)nanosleep(&(struct timespec){ .tv_nsec = LOCK_PAUSE_MS * 1000000 }, NULL);
		err = rack_lock(name, false, s);
	}
	return err;
}

/* In its process. When the command that brings the rack up has gone before it was up, all that it started goes too. */
static void switch_be(struct standing *s, const struct plan *p, int lifeline) __attribute__((noreturn));
static void switch_be(struct standing *s, const struct plan *p, int lifeline)
{
	static char names[VM_NODES_MAX][NAME_BYTES];
	int err;

	prctl(PR_SET_NAME, "ashlar-switch");
	for (unsigned i = 0; i < p->n; i++)
		memcpy(names[i], p->node[i].name, NAME_BYTES);
	err = fchdir(s->fd) ? -errno : switch_run((const char(*)[NAME_BYTES])names, p->n, lifeline);
	if (err)
		_exit(cli_error("the switch cannot go on: %s", strerror(-err)));
	pid_file_remove(s, VM_SWITCH); /* not to end ourselves first */
	if (lock_patiently(p->name, s))
		_exit(EXIT_ASHLAR);
	rack_stop(s);
	standing_remove(s);
	_exit(0);
}

int switch_start(const struct standing *s, const struct plan *p, const struct signals *signals, int *lifeline)
{
	struct standing own = *s;
	char log[PATH_MAX];
	int fd[2], begun[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) || pipe2(begun, O_CLOEXEC))
		return cli_error("cannot start the switch: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		part_detach(s, VM_SWITCH, standing_path(s, VM_SWITCH, ".log", log, sizeof(log)), signals);
		/* Without the lock, which is the command's */
		own.fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dup2(fd[0], 3) != 3 || dup2(own.fd, 4) != 4)
			_exit(cli_error("cannot start the switch: %s", strerror(errno)));
		close_range(5, ~0U, 0);
		own.fd = 4;
		switch_be(&own, p, 3);
	}
	close(fd[0]);
	*lifeline = fd[1];
	return child_wait("the switch", pid, begun);
}
