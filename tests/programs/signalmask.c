/* signalmask NAME...: tells which of the signals INT, QUIT, PIPE, HUP, TERM, CHLD are ignored or blocked at its start. */
#include <signal.h>
#include "tests/programs/say.h"

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int number;
	} known[] = { { "INT", SIGINT }, { "QUIT", SIGQUIT }, { "PIPE", SIGPIPE },
		      { "HUP", SIGHUP }, { "TERM", SIGTERM }, { "CHLD", SIGCHLD } };
	struct sigaction a;
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
			if (strcmp(argv[i], known[k].name) != 0)
				continue;
			MUST(!sigaction(known[k].number, NULL, &a));
			printf("%s is %s, %s\n", argv[i], a.sa_handler == SIG_IGN ? "ignored" : "not ignored",
			       sigismember(&blocked, known[k].number) ? "blocked" : "not blocked");
		}
	return 0;
}
