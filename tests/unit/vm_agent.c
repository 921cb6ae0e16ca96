/* The agent inside a virtual machine: sessions over a socket that stands for its port, and peers that break the rules. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "vm/guest/agent.h"

static struct port port;
static int host; /* the other end */

int agent_watch(int fd)
{
	(void)fd;
	return 0; /* steps are made here until something happens */
}

static int up(void **state)
{
	int fd[2];

	(void)state;
	memset(&port, 0, sizeof(port));
	job_init(&port.job);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd))
		return -1;
	port.fd = fd[0];
	host = fd[1];
	return 0;
}

static int down(void **state)
{
	(void)state;
	job_end(&port.job);
	close(port.fd);
	close(host);
	return 0;
}

static void steps(void)
{
	while (port_step(&port))
		;
}

static void say(uint32_t type, const void *payload, uint32_t bytes)
{
	struct vm_frame f = { type, bytes };

	assert_int_equal(write(host, &f, sizeof(f)), sizeof(f));
	if (bytes)
		assert_int_equal(write(host, payload, bytes), bytes);
	steps();
}

/* The next frame, waited for; its payload in *payload. */
static struct vm_frame hear(char *payload)
{
	struct vm_frame f = { 0, 0 };
	size_t n = 0;

	for (int tries = 0; tries < 5000; tries++) {
		char *to = n < sizeof(f) ? (char *)&f + n : payload + n - sizeof(f);
		size_t left = n < sizeof(f) ? sizeof(f) - n : sizeof(f) + f.bytes - n;
		ssize_t got = left ? read(host, to, left) : 0;

		if (got > 0)
			n += (size_t)got;
		if (n >= sizeof(f))
			assert_true(f.bytes <= VM_PAYLOAD_MAX);
		if (n >= sizeof(f) && n == sizeof(f) + f.bytes)
			return f;
		if (got <= 0) {
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
			steps();
		}
	}
	fail_msg("nothing comes");
	return f;
}

static void expect_silence(void)
{
	char byte;

	steps();
	assert_int_equal(read(host, &byte, 1), -1);
	assert_int_equal(errno, EAGAIN);
}

static void greet(void)
{
	struct vm_hello hello = { VM_MAGIC, 42 };
	char back[VM_PAYLOAD_MAX];
	struct vm_frame f;

	say(VM_HELLO, &hello, sizeof(hello));
	do
		f = hear(back);
	while (f.type != VM_HELLO);
	assert_int_equal(f.bytes, sizeof(hello));
	assert_memory_equal(back, &hello, sizeof(hello));
}

static uint32_t number_of(const char *payload)
{
	struct vm_number n;

	memcpy(&n, payload, sizeof(n));
	return n.value;
}

/* Words of `sh -c SCRIPT`, no environment, in the root. 0, or the errno that it is refused with. */
static uint32_t run(const char *script)
{
	struct vm_start start = { .req = { .argc = 3 } };
	char words[256], payload[VM_PAYLOAD_MAX];
	size_t n = 0;

	memcpy(words, "/bin/sh\0-c", 11);
	n = 11;
	strcpy(words + n, script);
	n += strlen(script) + 1;
	memcpy(words + n, "/", 2);
	say(VM_WORDS, words, (uint32_t)n + 2);
	say(VM_START, &start, sizeof(start));
	assert_int_equal(hear(payload).type, VM_STARTED);
	return number_of(payload);
}

static void test_runs(void **state)
{
	char payload[VM_PAYLOAD_MAX], out[64] = "";
	bool err = false;
	struct vm_frame f;

	(void)state;
	greet();
	assert_int_equal(run("read a; echo got $a; echo e >&2; exit 3"), 0);
	say(VM_INPUT, "x\n", 2);
	say(VM_INPUT, NULL, 0);
	while ((f = hear(payload)).type != VM_ENDED) {
		if (f.type == VM_OUTPUT)
			strncat(out, payload, f.bytes);
		err |= f.type == VM_ERRORS && f.bytes == 2;
		if (f.type == VM_TAKEN)
			assert_int_equal(number_of(payload), 2);
	}
	assert_string_equal(out, "got x\n");
	assert_true(err);
	assert_int_equal(WEXITSTATUS((int)number_of(payload)), 3);
}

static void test_signal(void **state)
{
	char payload[VM_PAYLOAD_MAX];
	struct vm_number term = { SIGTERM }, wild = { 4000 };

	(void)state;
	greet();
	assert_int_equal(run("sleep 100"), 0);
	say(VM_SIGNAL, &wild, sizeof(wild)); /* no signal has that number */
	say(VM_SIGNAL, &term, sizeof(term));
	assert_int_equal(hear(payload).type, VM_ENDED);
	assert_int_equal(WTERMSIG((int)number_of(payload)), SIGTERM);
}

/* A new hello, or the end of the other side, ends what ran. */
static void test_ends(void **state)
{
	pid_t pid;

	(void)state;
	greet();
	assert_int_equal(run("sleep 100"), 0);
	pid = port.job.pid;
	greet();
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(run("sleep 100"), 0);
	pid = port.job.pid;
	steps(); /* hears that nothing more comes, as on a port that is connected */
	shutdown(host, SHUT_WR);
	steps();
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(port.job.pid, 0);
}

/* After a breach nothing is heard, and what ran has ended. */
static void breach(uint32_t type, const void *payload, uint32_t bytes)
{
	struct vm_hello hello = { VM_MAGIC, 1 };

	say(type, payload, bytes);
	assert_true(port.deaf);
	assert_int_equal(port.job.pid, 0);
	say(VM_HELLO, &hello, sizeof(hello));
	expect_silence();
}

static void test_no_hello(void **state)
{
	(void)state;
	breach(VM_WORDS, "x", 2);
}

static void test_wrong_magic(void **state)
{
	struct vm_hello hello = { 1, 2 };

	(void)state;
	breach(VM_HELLO, &hello, sizeof(hello));
}

static void test_too_long(void **state)
{
	struct vm_frame f = { VM_WORDS, VM_PAYLOAD_MAX + 1 };

	(void)state;
	greet();
	assert_int_equal(write(host, &f, sizeof(f)), sizeof(f));
	steps();
	assert_true(port.deaf);
}

static void test_unknown(void **state)
{
	(void)state;
	greet();
	assert_int_equal(run("sleep 100"), 0);
	breach(4711, NULL, 0);
}

static void test_wrong_size(void **state)
{
	(void)state;
	greet();
	breach(VM_START, "short", 5);
}

static void test_more_input_than_granted(void **state)
{
	static char data[VM_PAYLOAD_MAX];

	(void)state;
	greet();
	assert_int_equal(run("kill -STOP $$"), 0);
	/* A pipe takes some of it: so three times as much as may be outstanding */
	for (unsigned i = 0; i < 3 * VM_WINDOW_BYTES / VM_PAYLOAD_MAX && !port.deaf; i++)
		say(VM_INPUT, data, sizeof(data));
	assert_true(port.deaf);
	assert_int_equal(port.job.pid, 0);
}

static void test_words_that_lie(void **state)
{
	struct vm_start start = { .req = { .argc = 3 } };
	char payload[VM_PAYLOAD_MAX];

	(void)state;
	greet();
	say(VM_WORDS, "a\0b\0", 4); /* two words where four are announced */
	say(VM_START, &start, sizeof(start));
	assert_int_equal(hear(payload).type, VM_STARTED);
	assert_int_equal(number_of(payload), EPROTO);
	say(VM_WORDS, "a\0b\0c\0d", 7); /* the last without an end */
	say(VM_START, &start, sizeof(start));
	assert_int_equal(hear(payload).type, VM_STARTED);
	assert_int_equal(number_of(payload), EPROTO);
	start.req.argc = start.req.envc = UINT32_MAX;
	say(VM_WORDS, "a\0b\0c\0d", 8);
	say(VM_START, &start, sizeof(start));
	assert_int_equal(hear(payload).type, VM_STARTED);
	assert_int_equal(number_of(payload), EPROTO);
	assert_int_equal(run("true"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_runs),	   TEST(test_signal),	   TEST(test_ends),
		TEST(test_no_hello),	   TEST(test_wrong_magic), TEST(test_too_long),
		TEST(test_unknown),	   TEST(test_wrong_size),  TEST(test_more_input_than_granted),
		TEST(test_words_that_lie),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
