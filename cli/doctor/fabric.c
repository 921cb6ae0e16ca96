/* Checks of what other fabrics and racks of virtual machines need. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "cli/doctor/doctor.h"

#define QEMU "qemu-system-x86_64"

/* In a child: libraries of fabrics start threads and take signals. */
static int library_use(void *arg)
{
	return dlopen(arg, RTLD_NOW | RTLD_LOCAL) ? 0 : ENOENT;
}

void check_libfabric(struct doctor_finding *f)
{
	static char name[] = "libfabric.so.1";
	int err = doctor_in_child(library_use, name);

	if (!err) {
		doctor_found(f, DOCTOR_OK, "%s", name);
		return;
	}
	doctor_found(f, DOCTOR_MISSING, "%s cannot be loaded", name);
	doctor_means(f, "fabrics ofi:... do not work");
	doctor_fix(f, "apt-get install libfabric1");
}

void check_rdma(struct doctor_finding *f)
{
	DIR *d = opendir("/sys/class/infiniband");
	struct dirent *e;
	char names[120] = "";

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && strlen(names) + strlen(e->d_name) + 2 < sizeof(names))
			strcat(strcat(names, *names ? " " : ""), e->d_name);
	if (d)
		closedir(d);
	if (*names) {
		doctor_found(f, DOCTOR_OK, "%s", names);
		return;
	}
	doctor_found(f, DOCTOR_MISSING, "none");
	doctor_means(f, "fabric verbs does not work");
	doctor_fix(
		f,
		"a card and its driver, or in software: modprobe rdma_rxe && rdma link add rxe0 type rxe netdev eth0");
}

void check_rxe(struct doctor_finding *f)
{
	char path[300], *end;
	const char *const kinds[] = { "", ".xz", ".zst" };
	struct utsname u;

	if (access("/sys/module/rdma_rxe", F_OK) == 0) {
		doctor_found(f, DOCTOR_OK, "loaded");
		return;
	}
	for (size_t i = 0; uname(&u) == 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/lib/modules/%.64s/kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko%s",
			 u.release, kinds[i]);
		if (access(path, F_OK) == 0) {
			end = strrchr(path, '/') + 1;
			doctor_found(f, DOCTOR_OK, "%s can be loaded (modprobe rdma_rxe)", end);
			return;
		}
	}
	doctor_found(f, DOCTOR_LIMITED, "this kernel has no module rdma_rxe");
	doctor_means(f, "without an RDMA card there is no fabric verbs on this machine itself");
	doctor_fix(f, "a kernel that has it: apt-get install linux-image-amd64, then reboot");
}

/* A virtual machine without anything in it: the device may be there, and the processor not. */
static int kvm_use(void *arg)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm = fd < 0 ? -1 : ioctl(fd, KVM_CREATE_VM, 0);

	(void)arg;
	return vm < 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0 ? errno : 0;
}

void check_kvm(struct doctor_finding *f)
{
	int err = doctor_in_child(kvm_use, NULL);

	if (!err) {
		doctor_found(f, DOCTOR_OK, "/dev/kvm makes a machine");
		return;
	}
	doctor_found(f, DOCTOR_LIMITED, "/dev/kvm: %s", err > 0 ? strerror(err) : "no machine can be made");
	doctor_means(f, "virtual machines are emulated, some fifty times slower");
	doctor_fix(f, err == EACCES ? "adduser USER kvm, then log in anew"
				    : "virtualization in the firmware, then: modprobe kvm_intel or kvm_amd");
}

void check_qemu(struct doctor_finding *f)
{
	const char *path = getenv("PATH");
	char *dirs = strdup(path ? path : "/usr/bin:/bin"), *save = NULL, file[4200];

	for (char *d = strtok_r(dirs, ":", &save); d; d = strtok_r(NULL, ":", &save)) {
		snprintf(file, sizeof(file), "%.4000s/" QEMU, d);
		if (access(file, X_OK) == 0) {
			doctor_found(f, DOCTOR_OK, "%.200s", file);
			free(dirs);
			return;
		}
	}
	free(dirs);
	doctor_found(f, DOCTOR_MISSING, "no " QEMU " in PATH");
	doctor_means(f, "no rack of virtual machines");
	doctor_fix(f, "apt-get install qemu-system-x86");
}
