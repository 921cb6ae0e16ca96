/*
 * ashlar vm up. In this order, undone when it fails or somebody ends us:
 *  1. options, the image, the rack's folder, the storage node's disk
 *  2. the switch, which ends everything should we be killed before all is up
 *  3. a QEMU for each node; until all components have joined
 * Where the rack is up already, machines that have ended are started anew.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "ashlar/base/secret.h"
#include "ashlar/base/size.h"
#include "vm/host/up_options.h"

struct upping {
	struct up_options options;
	struct plan plan;
	struct standing s;
	struct signals signals;
};

static void tell_plan(const struct plan *p)
{
	uint64_t bytes = 0;
	char size[24];

	for (unsigned i = 0; i < p->n; i++)
		bytes += p->node[i].mem_bytes;
	printf("VM rack %s: %u machines, %s of memory, fabric %s, %s\n", p->name, p->n, size_format(bytes, size),
	       p->fabric, p->kvm ? "run by KVM" : "emulated by QEMU's TCG: slow");
	fflush(stdout);
}

static int machines_start(struct upping *u)
{
	int err = 0;

	joined_begin(&u->s, &u->plan);
	for (unsigned i = 0; i < u->plan.n && !err; i++)
		if (!part_alive(&u->s, u->plan.node[i].name))
			err = machine_start(&u->s, &u->plan, &u->plan.node[i], &u->signals);
	return err ? err : joined_wait(NULL, &u->signals);
}

static int start_all(struct upping *u)
{
	int lifeline = -1, err = plan_write(&u->s, &u->plan);
	char key[PATH_MAX];

	if (!err && secret_make(standing_path(&u->s, VM_KEY_FILE, "", key, sizeof(key))))
		err = cli_error("cannot make the rack's key %s", key);
	if (!err)
		err = disk_make(&u->s, &u->plan, plan_first(&u->plan, VM_STORAGE));
	if (!err)
		err = switch_start(&u->s, &u->plan, &u->signals, &lifeline);
	if (!err) {
		tell_plan(&u->plan);
		err = machines_start(u);
	}
	if (!err && write(lifeline, "", 1) != 1)
		err = cli_error("the switch has ended");
	if (err) {
		rack_stop(&u->s); /* the switch with the others, so it does not do the same */
		standing_remove(&u->s);
	}
	if (lifeline >= 0)
		close(lifeline);
	return err;
}

static int up_new(struct upping *u)
{
	int err;

	rack_stop(&u->s); /* left over */
	standing_remove(&u->s);
	err = up_plan(&u->options, &u->plan);
	if (!err)
		err = image_make(&u->plan);
	if (u->options.accel)
		u->plan.kvm = strcmp(u->options.accel, "kvm") == 0;
	if (!err)
		err = rack_lock(u->options.name, true, &u->s);
	if (!err)
		err = start_all(u);
	return err;
}

static int up_again(struct upping *u)
{
	unsigned alive = 0;
	int err;

	if (u->options.described)
		return cli_error("the VM rack %s is up already; take it down before it becomes another",
				 u->options.name);
	err = plan_read(&u->s, &u->plan);
	for (unsigned i = 0; !err && i < u->plan.n; i++)
		alive += part_alive(&u->s, u->plan.node[i].name);
	if (!err && alive == u->plan.n) {
		printf("VM rack %s is up already\n", u->plan.name);
		return 0;
	}
	return err ? err : machines_start(u);
}

int vm_up(int argc, char **argv)
{
	static struct upping u;
	int err = up_options(argc, argv, &u.options);

	if (err)
		return err == 1 ? 0 : err;
	err = signals_open(&u.signals);
	if (!err)
		err = rack_lock(u.options.name, true, &u.s);
	if (err)
		return err;
	err = part_alive(&u.s, VM_SWITCH) ? up_again(&u) : up_new(&u);
	standing_close(&u.s);
	return err;
}

int vm_down(const char *name)
{
	struct standing s;
	int err = rack_lock(name, false, &s);

	if (err == 1)
		printf("VM rack %s is not up\n", name);
	if (err)
		return err == 1 ? 0 : err;
	rack_stop(&s);
	standing_remove(&s);
	printf("VM rack %s is down\n", name);
	return 0;
}
