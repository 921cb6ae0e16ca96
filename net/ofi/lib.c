/*
 * libfabric itself: loaded on demand, held for good (its constructors and atexit handlers do not stand being unloaded).
 * Loading and the first search install handlers for SIGINT, SIGSEGV and others on the way (libraries of providers that
 * nobody asked for do): every signal's action is put back afterwards.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "ashlar/base/log.h"
#include "net/ofi/ofi.h"

#define LIBRARY "libfabric.so.1"
#define VERSION FI_VERSION(1, 17)

struct ofi_lib ofi_lib;
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

struct actions {
	struct sigaction of[NSIG];
	bool have[NSIG];
};

static void actions_save(struct actions *a)
{
	for (int s = 1; s < NSIG; s++)
		a->have[s] = sigaction(s, NULL, &a->of[s]) == 0;
}

static void actions_restore(const struct actions *a)
{
	for (int s = 1; s < NSIG; s++)
		if (a->have[s])
			sigaction(s, &a->of[s], NULL);
}

static bool symbol(void *lib, const char *name, void *to)
{
	void *p = dlsym(lib, name);

	memcpy(to, &p, sizeof(p));
	if (!p)
		log_error("%s has no %s", LIBRARY, name);
	return p;
}

static int load(void)
{
	void *lib;

	/* Its cache of registrations would watch our memory by userfaultfd, which is ours to use. */
	setenv("FI_MR_CACHE_MONITOR", "disabled", 1);
	lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		log_error("no ofi fabric here: %s (Debian package libfabric1)", dlerror());
		return -ENODEV;
	}
	if (!symbol(lib, "fi_getinfo", &ofi_lib.getinfo) || !symbol(lib, "fi_freeinfo", &ofi_lib.freeinfo) ||
	    !symbol(lib, "fi_dupinfo", &ofi_lib.dupinfo) || !symbol(lib, "fi_fabric", &ofi_lib.fabric) ||
	    !symbol(lib, "fi_version", &ofi_lib.version))
		return -ENODEV;
	if (FI_VERSION_LT(ofi_lib.version(), VERSION)) {
		log_error("%s is version %u.%u: 1.17 or later is needed", LIBRARY, FI_MAJOR(ofi_lib.version()),
			  FI_MINOR(ofi_lib.version()));
		return -ENODEV;
	}
	return 0;
}

int ofi_lib_load(void)
{
	struct actions actions;
	int err = 0;

	pthread_mutex_lock(&loading);
	if (!loaded) {
		actions_save(&actions);
		err = load();
		actions_restore(&actions);
		loaded = !err;
	}
	pthread_mutex_unlock(&loading);
	return err;
}

/* What we need: messages and one-sided transfers on connections, any local memory, sockets' addresses. */
static struct fi_info *hints_make(const char *prov)
{
	struct fi_info *h = ofi_lib.dupinfo(NULL);

	if (!h)
		return NULL;
	h->caps = FI_MSG | FI_RMA | FI_SEND | FI_RECV | FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE;
	h->ep_attr->type = FI_EP_MSG;
	h->addr_format = FI_SOCKADDR;
	h->domain_attr->mr_mode = FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
	h->domain_attr->threading = FI_THREAD_SAFE;
	h->fabric_attr->prov_name = strdup(prov);
	if (h->fabric_attr->prov_name)
		return h;
	ofi_lib.freeinfo(h);
	return NULL;
}

int ofi_lib_provider(const char *prov, struct fi_info **hints, struct fi_info **found)
{
	struct fi_info *h = hints_make(prov), *info = NULL;
	struct actions actions;
	int err;

	if (!h)
		return -ENOMEM;
	actions_save(&actions);
	err = ofi_lib.getinfo(VERSION, NULL, NULL, 0, h, &info);
	actions_restore(&actions);
	if (err || !info) {
		log_error("libfabric's provider \"%s\" offers no connected endpoints with one-sided transfers here",
			  prov);
		err = -ENODEV;
	} else if (strcmp(info->fabric_attr->prov_name, prov) != 0) {
		log_error("asked libfabric for provider \"%s\", it offers \"%s\"", prov, info->fabric_attr->prov_name);
		err = -ENODEV;
	}
	if (err) {
		if (info)
			ofi_lib.freeinfo(info);
		ofi_lib.freeinfo(h);
		return err;
	}
	*hints = h;
	*found = info;
	return 0;
}
