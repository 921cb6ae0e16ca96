/* Makes processes until there can be no more of them, says how many and why, waits for the end of stdin, and leaves them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	unsigned n = 0;
	char c;

	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0)
			for (;;)
				pause();
		n++;
	}
	printf("%u %s\n", n, errno == EAGAIN ? "EAGAIN" : strerror(errno));
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
