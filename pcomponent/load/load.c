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

/* Find a plain name in PATH: the first that may be executed, else the error that says most. */
static int path_search(const char *name, const char *path, char *found, size_t max)
{
	int best = -ENOENT, err;

	while (path) {
		const char *end = strchr(path, ':');
		int n = end ? (int)(end - path) : (int)strlen(path);

		if (snprintf(found, max, "%.*s%s%s", n, path, n ? "/" : "", name) < (int)max) {
			err = fs_image_access_exec(found);
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
static bool script_line(const char *path, char line[SCRIPT_LINE_MAX])
{
	char canonical[4096], *end;
	struct wire_stat st;
	struct fs_image *image;
	int64_t n;

	if (fs_image_open(path, &image, &st, canonical, sizeof(canonical)))
		return false;
	n = fs_image_pread(image, line, SCRIPT_LINE_MAX - 1, 0);
	fs_image_close(image);
	if (n < 2 || line[0] != '#' || line[1] != '!')
		return false;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	memmove(line, line + 2, strlen(line + 2) + 1);
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

/* Follow "#!" lines from path; the program to load, its argv in *argv. */
static const char *follow_scripts(const char *path, char ***argv)
{
	char line[SCRIPT_LINE_MAX], *interp;
	int depth, err;

	for (depth = 0; depth < SCRIPT_DEPTH_MAX; depth++) {
		if ((err = fs_image_access_exec(path)))
			fail(path, err, NULL);
		if (!script_line(path, line))
			return path;
		if (!*line)
			fail(path, -ENOEXEC, "script without an interpreter behind #!");
		if (!(*argv = script_argv(line, path, *argv, &interp)) || !interp)
			fail(path, -ENOMEM, NULL);
		path = interp;
	}
	fail(path, -ELOOP, "scripts that name scripts as their interpreters, too many in a row");
}

static void map_or_fail(struct thread *t, struct elf_file *e, uint64_t base, struct elf_mapped *m)
{
	int err = elf_map(t, e, base, m);

	if (err)
		fail(e->path, err, err == -ENOEXEC ? "corrupt ELF file: its segments" : NULL);
}

static void open_or_fail(const char *path, struct elf_file *e)
{
	const char *why = NULL;
	int err = elf_open(path, e, &why);

	if (err)
		fail(path, err, why);
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
	if (!strchr(path, '/')) {
		const char *dirs = env_get(p->envp, "PATH");

		if ((err = path_search(path, dirs ? dirs : DEFAULT_PATH, found, sizeof(found))))
			fail(path, err, NULL);
		path = found;
	}
	path = follow_scripts(path, &out->argv);
	open_or_fail(path, &program);
	if (program.interp[0]) {
		open_or_fail(program.interp, &interpreter);
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

bool load_is_script(const char *path)
{
	char line[SCRIPT_LINE_MAX];

	return script_line(path, line);
}

/* path as one image, with what it names as its interpreter. */
static int image_check(const char *path, struct elf_file *e)
{
	const char *why;
	char interp[4096];
	int err = elf_open(path, e, &why);

	if (err)
		return err;
	elf_close(e);
	if (!e->interp[0])
		return 0;
	snprintf(interp, sizeof(interp), "%s", e->interp);
	err = elf_open(interp, e, &why);
	if (!err)
		elf_close(e);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

int load_check(const char *path)
{
	struct elf_file *e = malloc(sizeof(*e));
	char line[SCRIPT_LINE_MAX], name[SCRIPT_LINE_MAX];
	int depth, err = e ? 0 : -ENOMEM;

	for (depth = 0; !err; depth++) {
		if ((err = fs_image_access_exec(path)))
			break;
		if (!script_line(path, line)) {
			err = image_check(path, e);
			break;
		}
		line[strcspn(line, " \t")] = 0;
		err = !*line ? -ENOEXEC : depth == SCRIPT_DEPTH_MAX ? -ELOOP : 0;
		snprintf(name, sizeof(name), "%s", line);
		path = name;
	}
	free(e);
	return err;
}
