/* nofile FILE: lowers the limit of open files, meets it in every way that makes a descriptor, and raises it again. */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/programs/say.h"

#define LIMIT 20

static void ways(const char *file)
{
	int two[2];

	say("open", open(file, O_RDONLY));
	say("open a new one", open("made", O_RDWR | O_CREAT, 0600));
	say("is it made", access("made", F_OK));
	say("directory", open(".", O_RDONLY | O_DIRECTORY));
	say("dup", dup(0));
	say("pipe", pipe(two));
	say("socket", socket(AF_UNIX, SOCK_STREAM, 0));
	say("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, two));
	say("eventfd", eventfd(0, 0));
	say("epoll", epoll_create1(0));
	say("dup2 above", dup2(0, LIMIT));
	say("dup2 far above", dup2(0, LIMIT + 30));
	say("dup3 above", dup3(0, LIMIT + 1, O_CLOEXEC));
	say("F_DUPFD above", fcntl(0, F_DUPFD, LIMIT));
	say("F_DUPFD below", fcntl(0, F_DUPFD, 3));
	say("dup2 below", dup2(0, LIMIT - 1));
}

static rlim_t soft(void)
{
	struct rlimit r;

	MUST(!getrlimit(RLIMIT_NOFILE, &r));
	return r.rlim_cur;
}

int main(int argc, char **argv)
{
	struct rlimit old, r;
	int fd, high, n = 0;
	char c;

	MUST(argc == 2 && !getrlimit(RLIMIT_NOFILE, &old) && old.rlim_cur > 2 * LIMIT);
	high = fcntl(open(argv[1], O_RDONLY), F_DUPFD, LIMIT + 5);
	r = old;
	r.rlim_cur = LIMIT;
	say("lower", setrlimit(RLIMIT_NOFILE, &r));
	printf("limit %lu\n", soft());
	printf("still open above it: %zd\n", read(high, &c, 1));
	while ((fd = open(argv[1], O_RDONLY)) >= 0)
		n = fd;
	printf("last number %d, %s\n", n, error_name(errno));
	ways(argv[1]);
	say("close one", close(n));
	printf("open again: %d\n", open(argv[1], O_RDONLY));
	say("close above", close(high));
	r.rlim_cur = 0;
	say("lower to nothing", setrlimit(RLIMIT_NOFILE, &r));
	ways(argv[1]);
	r.rlim_cur = r.rlim_max + 1;
	say("above the hard limit", r.rlim_max == RLIM_INFINITY ? -1 : setrlimit(RLIMIT_NOFILE, &r));
	say("as before", setrlimit(RLIMIT_NOFILE, &old));
	say("more", open(argv[1], O_RDONLY));
	say("far", dup2(0, LIMIT + 30));
	unlink("made");
	return 0;
}
