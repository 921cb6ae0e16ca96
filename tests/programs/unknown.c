/* unknown: calls that no kernel has, and calls by the old gates. */
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/programs/say.h"

int main(void)
{
	say("call 9999", syscall(9999));
	say("call 511", syscall(511));
	say("call -1", syscall(-1));
	for (int i = 0; i < 1000; i++)
		MUST(syscall(9999) == -1 && errno == ENOSYS);
	printf("still here\n");
	return 0;
}
