/* Which modes work here: by the checks that each needs, and by opening its fabric with what this build has. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "ashlar/net.h"
#include "cli/doctor/doctor.h"

static const struct doctor_mode all[DOCTOR_MODES] = {
	{ .name = "local", .bit = DOCTOR_LOCAL },
	{ .name = "ofi:tcp", .bit = DOCTOR_OFI },
	{ .name = "verbs", .bit = DOCTOR_VERBS },
	{ .name = "VM rack", .bit = DOCTOR_VM },
};

static int fabric_use(void *arg)
{
	struct net_options o = { 0 };
	struct net *net;

	return -net_open(arg, &o, &net);
}

static void fabric_try(struct doctor_mode *m)
{
	char name[32];
	int err;

	if (m->bit == DOCTOR_VM)
		return; /* its fabric is opened inside the machines */
	snprintf(name, sizeof(name), "%s", m->name);
	err = doctor_in_child(fabric_use, name);
	m->works = err == 0;
	if (err == ENOENT)
		snprintf(m->why, sizeof(m->why), "this build does not have that fabric");
	else if (err)
		snprintf(m->why, sizeof(m->why), "the fabric cannot be opened: %s",
			 err > 0 ? strerror(err) : "it ends the process");
}

void doctor_modes(const struct doctor_finding *found, struct doctor_mode modes[DOCTOR_MODES], bool probe)
{
	for (unsigned k = 0; k < DOCTOR_MODES; k++) {
		struct doctor_mode *m = &modes[k];
		size_t len;

		*m = all[k];
		m->works = true;
		for (unsigned i = 0; i < doctor_checks_n; i++) {
			if (!(doctor_checks[i].needed & m->bit) || found[i].state != DOCTOR_MISSING)
				continue;
			len = strlen(m->why);
			snprintf(m->why + len, sizeof(m->why) - len, "%s%s", m->works ? "missing: " : ", ",
				 doctor_checks[i].name);
			m->works = false;
		}
		if (m->works && probe)
			fabric_try(m);
	}
}

void doctor_summary(const struct doctor_finding *found, const struct doctor_mode modes[DOCTOR_MODES], char *text,
		    size_t max)
{
	unsigned limited = 0;
	char where[120] = "";

	for (unsigned i = 0; i < doctor_checks_n; i++)
		limited += found[i].state == DOCTOR_LIMITED;
	for (unsigned k = 0; k < DOCTOR_MODES; k++)
		if (modes[k].works)
			strcat(strcat(where, *where ? ", " : ""), modes[k].name);
	if (modes[0].works)
		snprintf(text, max, "ashlar works here: %s; %u of %u checks with limits", where, limited,
			 doctor_checks_n);
	else
		snprintf(text, max, "ashlar does not work here; %s", modes[0].why);
}
