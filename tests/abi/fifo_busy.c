/* A FIFO opens again and again while somebody else writes to it. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "abi.h"

#define TIMES 400

int main(void)
{
	char name[64], buf[4096];
	int fd, status, opened = 0;
	pid_t pid;

	snprintf(name, sizeof(name), "fifo-%d", (int)getpid());
	MUST(mkfifo(name, 0600) == 0);
	fd = open(name, O_RDWR | O_NONBLOCK);
	MUST(fd >= 0);
	pid = fork();
	if (pid == 0)
		for (;;)
			if (write(fd, "data", 4) < 0)
				usleep(100);
	MUST(pid > 0);
	for (int i = 0; i < TIMES; i++) {
		int again = open(name, O_RDONLY | O_NONBLOCK);

		if (!CHECK(again >= 0))
			break;
		opened++;
		(void)!read(again, buf, sizeof(buf));
		close(again);
	}
	CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	CHECK(unlink(name) == 0);
	printf("opened %d times\n", opened);
	return abi_result();
}
