/* Faults: at random moments, and all of them mended in the end. */
#include <errno.h>
#include <string.h>
#include "rack.h"

uint64_t chaos_links;
bool chaos_lossy;

static unsigned at_work; /* coroutines of ours */
static bool ending;
static unsigned links_bad;

static struct part *part_any(void)
{
	return &rack.part[sim_below(rack.n_parts)];
}

static void kill_and_restart(void)
{
	struct part *p = part_any();

	if (!p->node)
		return;
	part_kill(p);
	sim_sleep(sim_below(4 * NS_PER_S));
	part_start(p);
}

static void links_mended(void)
{
	if (--links_bad == 0 && !chaos_lossy)
		chaos_links = sim_now() + TROUBLE_NS;
}

static void cut(void)
{
	unsigned a = (unsigned)sim_below(rack.n_parts), b = (unsigned)sim_below(rack.n_parts);
	bool both = sim_chance(600000);
	unsigned times = sim_chance(300000) ? (unsigned)sim_between(2, 8) : 1;
	uint64_t longest = sim_chance(500000) ? 200 * NS_PER_MS : 20 * NS_PER_S;

	links_bad++;
	for (unsigned i = 0; i < times && !ending; i++) {
		chaos_links = UINT64_MAX;
		sim_link_cut(a, b);
		if (both)
			sim_link_cut(b, a);
		sim_sleep(sim_below(longest));
		sim_link_heal(a, b);
		sim_link_heal(b, a);
		sim_sleep(sim_below(longest));
	}
	links_mended();
}

static void slow(void)
{
	struct part *p = part_any();
	uint64_t until = sim_now() + sim_below(10 * NS_PER_S);

	if (!p->node)
		return;
	sim_trace("%s is slow", p->name);
	sim_node_slow(p->node, sim_chance(300000) ? 3 * NS_PER_S : sim_below(30 * NS_PER_MS));
	p->trouble_ns = UINT64_MAX;
	while (sim_now() < until && !ending)
		sim_sleep(500 * NS_PER_MS);
	if (p->node) {
		sim_node_slow(p->node, 0);
		p->trouble_ns = sim_now() + TROUBLE_NS;
	}
}

static void worse_link(void)
{
	unsigned a = (unsigned)sim_below(rack.n_parts), b = (unsigned)sim_below(rack.n_parts);

	links_bad++;
	chaos_links = UINT64_MAX;
	sim_link_quality(a, b, sim_below(NS_PER_MS), sim_below(2 * NS_PER_MS), (uint32_t)sim_below(300000));
	sim_sleep(sim_below(20 * NS_PER_S));
	sim_link_quality(a, b, 10000, 1000, 0);
	links_mended();
}

static void one_fault(void *arg)
{
	struct proc *victim;

	sim_sleep(sim_below((uint64_t)(uintptr_t)arg));
	switch (ending ? 9 : sim_below(7)) {
	case 0:
	case 1:
		kill_and_restart();
		break;
	case 2:
	case 3:
		cut();
		break;
	case 4:
		slow();
		break;
	case 5:
		worse_link();
		break;
	case 6:
		victim = proc_any();
		if (victim && victim->members && sim_chance(500000))
			member_kill(victim);
		else if (victim)
			proc_kill(victim, sim_chance(500000));
		break;
	default:
		break;
	}
	at_work--;
}

void chaos_start(uint64_t within_ns, unsigned faults)
{
	ending = false;
	chaos_links = chaos_lossy ? UINT64_MAX : 0;
	at_work = faults;
	for (unsigned i = 0; i < faults; i++)
		sim_spawn(NULL, one_fault, (void *)(uintptr_t)within_ns);
}

void chaos_end(void)
{
	ending = true;
	while (at_work)
		sim_sleep(10 * NS_PER_MS);
	sim_heal_all();
}
