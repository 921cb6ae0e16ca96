/* Checks of what kind of kernel this is, and of what stands between it and us. */
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "cli/doctor/doctor.h"

#define SYSLOG_ACTION_READ_ALL 3
#define INSTALL_KERNEL "apt-get install linux-image-amd64, then reboot"

bool doctor_version(const char *release, unsigned *major, unsigned *minor)
{
	return sscanf(release, "%u.%u", major, minor) == 2;
}

void check_kernel(struct doctor_finding *f)
{
	struct utsname u;
	unsigned major, minor;

	if (uname(&u) || !doctor_version(u.release, &major, &minor)) {
		doctor_found(f, DOCTOR_MISSING, "no version can be read");
		return;
	}
	doctor_found(f, DOCTOR_OK, "%s %s, %s", u.sysname, u.release, u.machine);
	if (strcmp(u.machine, "x86_64") != 0) {
		f->state = DOCTOR_MISSING;
		doctor_means(f, "ashlar runs x86-64 programs on x86-64 machines");
		doctor_fix(f, "another machine");
	} else if (major < 5 || (major == 5 && minor < 11)) {
		f->state = DOCTOR_MISSING;
		doctor_means(f, "user dispatch of system calls came with 5.11");
		doctor_fix(f, INSTALL_KERNEL);
	} else if (major < 6 || (major == 6 && minor < 1)) {
		f->state = DOCTOR_LIMITED;
		doctor_means(f, "ashlar is tried on 6.1 and later");
		doctor_fix(f, INSTALL_KERNEL);
	}
}

/*
 * gVisor says it is Linux 4.4.0 of one date in 2016; WSL 1 has Microsoft and 4.4 in its version, and its own kernel. WSL 2 has
 * a Linux kernel.
 */
const char *doctor_not_linux(const char *version)
{
	if (strstr(version, "4.4.0") && strstr(version, "Jan 10 15:06:54 PST 2016"))
		return "gVisor";
	if (strstr(version, "Linux version 4.4.0") && strstr(version, "Microsoft"))
		return "WSL 1";
	return NULL;
}

static const char *container(void)
{
	if (access("/.dockerenv", F_OK) == 0)
		return "in a Docker container";
	if (access("/run/.containerenv", F_OK) == 0)
		return "in a Podman container";
	return access("/run/systemd/container", F_OK) == 0 ? "in a container" : NULL;
}

void check_platform(struct doctor_finding *f)
{
	char version[512] = "", log[4096] = "";
	const char *other, *in = container();

	(void)doctor_read("/proc/version", version, sizeof(version));
	other = doctor_not_linux(version);
	if (!other && klogctl(SYSLOG_ACTION_READ_ALL, log, sizeof(log) - 1) > 0 && strstr(log, "Starting gVisor"))
		other = "gVisor";
	if (other) {
		doctor_found(f, DOCTOR_MISSING, "%s stands for the kernel", other);
		doctor_means(f, "it has neither userfaultfd nor user dispatch of system calls");
		doctor_fix(f, strcmp(other, "gVisor") == 0 ? "docker run --runtime=runc ..."
							   : "wsl --set-version DISTRIBUTION 2");
		return;
	}
	doctor_found(f, DOCTOR_OK, "%s%s%s", strstr(version, "microsoft") ? "WSL 2" : "Linux", in ? ", " : "",
		     in ? in : "");
}

void check_seccomp(struct doctor_finding *f)
{
	if (!doctor_filtered()) {
		doctor_found(f, DOCTOR_OK, "no filter");
		return;
	}
	doctor_found(f, DOCTOR_OK, "a filter is in force; the lines below say what it denies of what ashlar needs");
}

void check_lsm(struct doctor_finding *f)
{
	char profile[160] = "", enforce[8] = "";

	if (doctor_read("/sys/fs/selinux/enforce", enforce, sizeof(enforce)) && enforce[0] == '1') {
		doctor_found(f, DOCTOR_OK, "SELinux enforces; it can deny userfaultfd, which is tried below");
		return;
	}
	if (doctor_read("/sys/module/apparmor/parameters/enabled", enforce, sizeof(enforce)) && enforce[0] == 'Y' &&
	    doctor_read("/proc/self/attr/current", profile, sizeof(profile)))
		doctor_found(f, DOCTOR_OK,
			     "AppArmor, profile %s; none of its rules concerns what ashlar does with itself", profile);
	else
		doctor_found(f, DOCTOR_OK, "none that matters");
}
