/*
 * ashlar run. In this order, undone backwards:
 *
 *  1. options, signals, the stats page
 *  2. a private rack, or the rack file
 *  3. a place: the gmm chooses components, the node daemon hears of the process (cli/place.c)
 *  4. the dispatcher is started as our child (cli/launch.c), and watched to its end (cli/watch.c), and so is what it
 *     leaves running (cli/left.c); on a rack that stands the node daemon starts it, and what goes in and out of it is
 *     relayed (cli/remote.c, cli/relay.c)
 *  5. counters are written, the rack is taken down
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "ashlar/base/clock.h"
#include "cli/left.h"
#include "cli/standing.h"

struct run {
	struct run_options options;
	struct signals signals;
	struct stats stats;
	struct private_rack rack;
	struct place place;
	struct ending ending;
};

/* On a private rack the program is our child, on one that stands the node daemon's, which may be elsewhere. */
static int run_program(struct run *r)
{
	pid_t child;
	int err;

	if (r->options.rack)
		return remote_run(&r->options, &r->place, &r->signals, &r->stats, &r->ending);
	left_adopt();
	err = launch(r->rack.bin, &r->options, &r->place, &r->signals, r->stats.page_fd, &child);
	if (!err)
		watch(child, &r->signals, &r->rack, &r->place, &r->ending);
	return err;
}

static int run_placed(struct run *r)
{
	int err = signals_ending(&r->signals);

	if (err)
		return 128 + err;
	err = run_program(r);
	if (err)
		return err;
	err = stats_write(&r->stats, &r->ending, r->options.fabric);
	return r->ending.exit_status ? r->ending.exit_status : err;
}

static int run_on(struct run *r, const char *gmm, const char *node, const char *key)
{
	int err;

	/* These calls wait for others: meanwhile Ctrl-C ends us as it ends any program. */
	signals_open_door(&r->signals);
	err = place_open(&r->place, r->options.fabric, gmm, node, key);
	if (!err)
		err = place_process(&r->place, &r->options);
	if (!err && !r->options.rack)
		err = place_announce(&r->place);
	signals_close_door();
	if (!err)
		err = run_placed(r);
	place_close(&r->place);
	return err;
}

static int run_private(struct run *r)
{
	int err = private_rack_up(&r->rack, &r->options, &r->signals);

	if (!err)
		err = run_on(r, r->rack.gmm, r->rack.node, "");
	private_rack_down(&r->rack);
	return err;
}

static int run_standing(struct run *r)
{
	static struct rack_file file;
	char path[PATH_MAX];
	int err = rack_find(r->options.rack, path, sizeof(path));

	if (!err)
		err = rack_file_read(path, &file);
	if (err)
		return err;
	r->options.fabric = file.fabric;
	return run_on(r, file.gmm, file.node, file.key);
}

int cmd_run(int argc, char **argv)
{
	static struct run r;
	int ret;

	r.stats.begin_ns = clock_ns();
	ret = run_options(argc, argv, &r.options);
	if (ret)
		return ret == 1 ? 0 : ret;
	log_open("ashlar", r.options.log_level);
	file_limit_lift();
	ret = programs_find(&r.rack);
	if (!ret)
		ret = signals_open(&r.signals);
	if (!ret)
		ret = stats_open(&r.stats, &r.options);
	if (ret)
		return ret;
	ret = r.options.rack ? run_standing(&r) : run_private(&r);
	stats_close(&r.stats);
	return ret;
}
