/* What befalls a single machine: for tests of what a rack does then. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <unistd.h>
#include "vm/host/host.h"

#define KILLED_MS 5000

static int machine_kill(const struct standing *s, const struct vm_node *node)
{
	struct pollfd fd = { .fd = pid_file_open(s, node->name), .events = POLLIN };
	int ret;

	if (fd.fd < 0)
		return cli_error("the machine of %s has ended already", node->name);
	pidfd_send_signal(fd.fd, SIGKILL, NULL, 0);
	ret = poll(&fd, 1, KILLED_MS);
	close(fd.fd);
	return ret == 1 ? 0 : cli_error("the machine of %s does not end", node->name);
}

/* Kill it if it runs, start it, wait until it is back in the rack. */
static int machine_restart(const struct plan *p, const struct vm_node *node)
{
	struct signals signals;
	struct standing s;
	int err = signals_open(&signals);

	if (!err)
		err = rack_lock(p->name, false, &s);
	if (err)
		return err == 1 ? cli_error("the VM rack %s is not up", p->name) : err;
	if (part_alive(&s, node->name))
		err = machine_kill(&s, node);
	joined_begin(&s, p);
	if (!err)
		err = machine_start(&s, p, node, &signals);
	if (!err)
		err = joined_wait(node, &signals);
	standing_close(&s);
	return err;
}

static int link_set(const struct standing *s, const struct vm_node *node, const char *state)
{
	char command[128];

	if (!state || (strcmp(state, "up") != 0 && strcmp(state, "down") != 0))
		return cli_error("vm link NODE up, or down?");
	snprintf(command, sizeof(command), "{\"execute\":\"set_link\",\"arguments\":{\"name\":\"nic\",\"up\":%s}}\n",
		 strcmp(state, "up") == 0 ? "true" : "false");
	return qmp(s, node->name, command, NULL);
}

int vm_control(const char *name, const char *verb, const char *node_name, const char *argument)
{
	static struct plan plan;
	const struct vm_node *node;
	struct standing s;
	int err = rack_look(name, &s, &plan);

	if (err)
		return err;
	node = plan_node(&plan, node_name);
	if (!node)
		return EXIT_ASHLAR;
	if (strcmp(verb, "kill") == 0)
		return machine_kill(&s, node);
	if (strcmp(verb, "restart") == 0)
		return machine_restart(&plan, node);
	if (strcmp(verb, "link") == 0)
		return link_set(&s, node, argument);
	return qmp(&s, node->name, strcmp(verb, "pause") == 0 ? "{\"execute\":\"stop\"}\n" : "{\"execute\":\"cont\"}\n",
		   NULL);
}
