/*
 * Relay: stdin, stdout and stderr of the command, as messages to the node daemon that has the program. Nothing waits: a
 * descriptor is looked at in the loop while there is something to do, so that signals are always heard.
 */
#ifndef CLI_RELAY_H
#define CLI_RELAY_H
#include <stdbool.h>
#include <stdint.h>
#include "ashlar/base/limits.h"
#include "ashlar/base/loop.h"
#include "cli/terminal.h"

#define RELAY_PIECES 4u /* messages outstanding for each */

struct rpc;

struct relay {
	struct loop *loop;
	struct rpc *rpc; /* NULL: the connection has ended */
	uint32_t pid;
	bool terminal;
	void (*changed)(void *arg); /* something has ended */
	void (*escape)(void *arg);  /* "~." */
	void *arg;
	struct relay_out {
		struct relay *relay;
		uint32_t stream;
		int fd;
		bool watched, plain; /* plain: a file, which is always ready */
		bool ended;	     /* nothing comes any more */
		unsigned asked;	     /* messages outstanding */
		unsigned n;
		struct {
			uint32_t bytes, done;
			char data[STREAM_PIECE];
		} piece[RELAY_PIECES];
	} out[2];
	struct {
		bool watched, plain, ended, paused;
		unsigned sent; /* messages outstanding */
		struct escape escape;
	} in;
};

/* Begin, for a program that is started. The caller has set all up to arg. */
void relay_begin(struct relay *);
/* All that the program wrote has been written. */
bool relay_done(const struct relay *);
/* Look at stdin again, after the terminal refused it to a background job. */
void relay_resume(struct relay *);
/* No more events. */
void relay_end(struct relay *);

#endif
