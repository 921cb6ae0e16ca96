/* Memory that is shared on purpose across fork: anonymous mappings, memfds, with a lock between processes. */
#include <pthread.h>
#include <sys/wait.h>
#include "abi.h"

struct common {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned long sum;
	int turn;
};

int main(void)
{
	pthread_mutexattr_t ma;
	pthread_condattr_t ca;
	int status, mem = memfd_create("abi", 0);
	struct common *c = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *file;

	MUST(c != MAP_FAILED && mem >= 0 && ftruncate(mem, PAGE) == 0);
	file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	MUST(file != MAP_FAILED);
	pthread_mutexattr_init(&ma);
	pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&c->lock, &ma);
	pthread_condattr_init(&ca);
	pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&c->wake, &ca);
	for (int n = 0; n < 4; n++)
		if (!fork()) {
			for (int i = 0; i < 500; i++) {
				pthread_mutex_lock(&c->lock);
				c->sum++;
				pthread_mutex_unlock(&c->lock);
			}
			pthread_mutex_lock(&c->lock);
			while (c->turn != n)
				pthread_cond_wait(&c->wake, &c->lock);
			file[n] = (char)('a' + n);
			c->turn++;
			pthread_cond_broadcast(&c->wake);
			pthread_mutex_unlock(&c->lock);
			_exit(0);
		}
	for (int n = 0; n < 4; n++)
		CHECK(wait(&status) > 0 && status == 0);
	CHECK(c->sum == 2000);
	file[4] = 0;
	printf("%s %d\n", file, c->turn);
	return abi_result();
}
