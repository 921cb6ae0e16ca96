/* From what the user typed to a program ready to run (load.h): PATH, scripts, image, interpreter, stack. */
#include "pcomponent/load/load.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pcomponent/load/elf.h"
#include "ashlar/proto/p2s.h"
#include "pcomponent/load/stack.h"
#include "pcomponent/proc/proc.h"
#include "pcomponent/vm/vm.h"

#define SCRIPT_DEPTH_MAX 4
#define SCRIPT_LINE_MAX 256
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* Two files are open at once; too large for a small stack. */
static struct elf_file program, interpreter;

static void fail(const char *name, int err, const char *why) __attribute__((noreturn));
static void fail(const char *name, int err, const char *why)
{
	proc_fail(err == -ENOENT ? 127 : 126, "%s: %s", name, why ? why : strerror(-err));
}

static const char *env_get(char **envp, const char *name)
{
	size_t n = strlen(name);

	for (; *envp; envp++)
		if (!strncmp(*envp, name, n) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

/* Find a plain name in PATH: the first that may be executed, opened, else the error that says most. */
static int path_search(const char *name, const char *path, char *found, size_t max, struct elf_file *e)
{
	int best = -ENOENT, err;

	while (path) {
		const char *end = strchr(path, ':');
		int n = end ? (int)(end - path) : (int)strlen(path);

		if (snprintf(found, max, "%.*s%s%s", n, path, n ? "/" : "", name) < (int)max) {
			err = elf_open(found, e);
			if (!err)
				return 0;
			if (err == -EACCES)
				best = err;
		}
		path = end ? end + 1 : NULL;
	}
	return best;
}

/* Is it a script? Then line gets what follows "#!", trimmed. */
static bool script_line(const struct elf_file *e, char line[SCRIPT_LINE_MAX])
{
	size_t n = e->head_bytes < SCRIPT_LINE_MAX - 1 ? e->head_bytes : SCRIPT_LINE_MAX - 1;
	char *end;

	if (n < 2 || e->head[0] != '#' || e->head[1] != '!')
		return false;
	memcpy(line, e->head + 2, n - 2);
	line[n - 2] = 0;
	line[strcspn(line, "\n")] = 0;
	memmove(line, line + strspn(line, " \t"), strlen(line + strspn(line, " \t")) + 1);
	for (end = line + strlen(line); end > line && strchr(" \t\r", end[-1]);)
		*--end = 0;
	return true;
}

/* argv of a script: interpreter, its one argument, the script, the rest. */
static char **script_argv(char *line, const char *path, char **argv, char **interp)
{
	size_t argc = 0, n = 0;
	char **v, *arg = line + strcspn(line, " \t");

	while (argv[argc])
		argc++;
	if (!(v = calloc(argc + 4, sizeof(*v))))
		return NULL;
	if (*arg) {
		*arg++ = 0;
		arg += strspn(arg, " \t");
	}
	*interp = strdup(line);
	v[n++] = *interp;
	if (*arg)
		v[n++] = strdup(arg);
	v[n++] = strdup(path);
	if (argc)
		memcpy(v + n, argv + 1, (argc - 1) * sizeof(*v));
	return v;
}

static void open_or_fail(const char *path, struct elf_file *e)
{
	int err = elf_open(path, e);

	if (err)
		fail(path, err, NULL);
}

static void read_or_fail(const char *path, struct elf_file *e)
{
	const char *why = NULL;
	int err = elf_read(e, &why);

	if (err)
		fail(path, err, why);
}

/* Follow "#!" lines from path, which is open as program; the program to load in its place, its argv in *argv. */
static const char *follow_scripts(const char *path, char ***argv)
{
	char line[SCRIPT_LINE_MAX], *interp;
	int depth;

	for (depth = 0; script_line(&program, line); depth++) {
		if (depth == SCRIPT_DEPTH_MAX - 1)
			fail(path, -ELOOP, "scripts that name scripts as their interpreters, too many in a row");
		if (!*line)
			fail(path, -ENOEXEC, "script without an interpreter behind #!");
		if (!(*argv = script_argv(line, path, *argv, &interp)) || !interp)
			fail(path, -ENOMEM, NULL);
		path = interp;
		elf_close(&program);
		open_or_fail(path, &program);
	}
	return path;
}

static void map_or_fail(struct thread *t, struct elf_file *e, uint64_t base, struct elf_mapped *m)
{
	int err = elf_map(t, e, base, m);

	if (err)
		fail(e->path, err, err == -ENOEXEC ? "corrupt ELF file: its segments" : NULL);
}

void load_program(struct thread *t, const struct load_program *p, struct load_result *out)
{
	static char found[4096];
	const char *path = p->typed;
	struct elf_mapped prog, interp = { 0 };
	int err;

	out->argv = p->argv;
	if (!*path)
		fail("the empty name", -ENOENT, NULL);
	if (!p->search || strchr(path, '/')) {
		open_or_fail(path, &program);
	} else {
		const char *dirs = env_get(p->envp, "PATH");

		if ((err = path_search(path, dirs ? dirs : DEFAULT_PATH, found, sizeof(found), &program)))
			fail(path, err, NULL);
		path = found;
	}
	path = follow_scripts(path, &out->argv);
	read_or_fail(path, &program);
	if (program.interp[0]) {
		open_or_fail(program.interp, &interpreter);
		read_or_fail(program.interp, &interpreter);
		if (interpreter.interp[0])
			fail(program.interp, -ENOEXEC, "an interpreter that wants an interpreter");
	}
	map_or_fail(t, &program, WINDOW_PIE, &prog);
	vm_brk_start(prog.end);
	if (program.interp[0]) {
		map_or_fail(t, &interpreter, 0, &interp);
		elf_close(&interpreter);
	}
	elf_close(&program);
	out->entry = program.interp[0] ? interp.entry : prog.entry;
	out->sp = stack_build(vm_stack_top(), out->argv, p->envp, path, &program, &prog, interp.bias);
	vm_stack_start(out->sp);
	if (!out->sp)
		fail(path, -E2BIG, NULL);
	snprintf(out->exe, sizeof(out->exe), "%s", program.path);
	fs_program_forget();
}

/* What is open as one image, with what it names as its interpreter. */
static int image_check(struct elf_file *e)
{
	const char *why;
	char interp[4096];
	int err = elf_read(e, &why);

	elf_close(e);
	if (err || !e->interp[0])
		return err;
	snprintf(interp, sizeof(interp), "%s", e->interp);
	err = elf_open(interp, e);
	if (err)
		return err;
	err = elf_read(e, &why);
	elf_close(e);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

int load_check(const char *path, bool *script)
{
	struct elf_file *e = malloc(sizeof(*e));
	char line[SCRIPT_LINE_MAX];
	int depth, err = e ? elf_open(path, e) : -ENOMEM;

	for (depth = 0; !err && script_line(e, line); depth++) {
		elf_close(e);
		line[strcspn(line, " \t")] = 0;
		err = !*line ? -ENOEXEC : depth == SCRIPT_DEPTH_MAX ? -ELOOP : elf_open(line, e);
	}
	*script = depth > 0;
	if (!err)
		err = image_check(e);
	free(e);
	return err;
}
