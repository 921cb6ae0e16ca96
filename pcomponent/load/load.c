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

#define SCRIPT_DEPTH_MAX 5 /* as Linux: so many scripts, each the interpreter of the one before */
#define SCRIPT_LINE_MAX 256
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

struct load_found {
	struct elf_file program, interpreter; /* the latter only where the former names it */
	const char *path;		      /* of the program: what was asked for, or where its scripts lead */
	char **argv;
	bool script;
	bool program_open, interpreter_open;
	const char *what, *why; /* of an error: the file, and more than errno says (NULL: nothing) */
	void *owned[SCRIPT_DEPTH_MAX * 4];
	unsigned n_owned;
};

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

/* Keep memory until the program is let go; NULL stays NULL. */
static void *own(struct load_found *f, void *p)
{
	if (p)
		f->owned[f->n_owned++] = p;
	return p;
}

/* argv of a script: interpreter, its one argument, the script, the rest. The interpreter, or NULL: no memory. */
static const char *script_argv(struct load_found *f, char *line)
{
	size_t argc = 0, n = 0;
	char **v, *arg = line + strcspn(line, " \t"), *interp, *script = own(f, strdup(f->path)), *word = NULL;

	while (f->argv[argc])
		argc++;
	if (*arg) {
		*arg++ = 0;
		arg += strspn(arg, " \t");
	}
	interp = own(f, strdup(line));
	if (*arg)
		word = own(f, strdup(arg));
	v = own(f, calloc(argc + 4, sizeof(*v)));
	if (!script || !interp || !v || (*arg && !word))
		return NULL;
	v[n++] = interp;
	if (word)
		v[n++] = word;
	v[n++] = script;
	if (argc)
		memcpy(v + n, f->argv + 1, (argc - 1) * sizeof(*v));
	f->argv = v;
	return interp;
}

static int wrong(struct load_found *f, const char *what, int err, const char *why)
{
	f->what = what;
	f->why = why;
	return err;
}

static int program_open(struct load_found *f, const char *path)
{
	int err = elf_open(path, &f->program);

	f->path = path;
	f->program_open = !err;
	return err ? wrong(f, path, err, NULL) : 0;
}

/* Follow "#!" lines from what is open. */
static int scripts_follow(struct load_found *f)
{
	char line[SCRIPT_LINE_MAX];
	int depth, err = 0;

	for (depth = 0; !err && script_line(&f->program, line); depth++) {
		const char *interp;

		f->script = true;
		if (depth == SCRIPT_DEPTH_MAX)
			return wrong(f, f->path, -ELOOP,
				     "scripts that name scripts as their interpreters, too many in a row");
		if (!*line)
			return wrong(f, f->path, -ENOEXEC, "script without an interpreter behind #!");
		interp = script_argv(f, line);
		if (!interp)
			return wrong(f, f->path, -ENOMEM, NULL);
		elf_close(&f->program);
		f->program_open = false;
		err = program_open(f, interp);
	}
	return err;
}

/* The headers of what is open, and of what it names as its interpreter. */
static int images_read(struct load_found *f)
{
	const char *why = NULL, *interp = f->program.interp;
	int err = elf_read(&f->program, &why);

	if (err || !*interp)
		return err ? wrong(f, f->path, err, why) : 0;
	err = elf_open(interp, &f->interpreter);
	f->interpreter_open = !err;
	if (!err)
		err = elf_read(&f->interpreter, &why);
	return err ? wrong(f, interp, err == -ENOEXEC ? -ELIBBAD : err, why) : 0;
}

void load_drop(struct load_found *f)
{
	if (f->program_open)
		elf_close(&f->program);
	if (f->interpreter_open)
		elf_close(&f->interpreter);
	while (f->n_owned)
		free(f->owned[--f->n_owned]);
	free(f);
}

int load_find(const char *path, char **argv, struct load_found **out)
{
	struct load_found *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return -ENOMEM;
	f->argv = argv;
	err = program_open(f, path);
	if (!err)
		err = scripts_follow(f);
	if (!err)
		err = images_read(f);
	if (err)
		load_drop(f);
	else
		*out = f;
	return err;
}

bool load_is_script(const struct load_found *f)
{
	return f->script;
}

static void map_or_fail(struct thread *t, struct elf_file *e, uint64_t base, struct elf_mapped *m)
{
	int err = elf_map(t, e, base, m);

	if (err)
		fail(e->path, err, err == -ENOEXEC ? "corrupt ELF file: its segments" : NULL);
}

void load_map(struct thread *t, struct load_found *f, char **envp, struct load_result *out)
{
	struct elf_mapped prog, interp = { 0 };

	map_or_fail(t, &f->program, WINDOW_PIE, &prog);
	vm_brk_start(prog.end);
	if (f->interpreter_open)
		map_or_fail(t, &f->interpreter, 0, &interp);
	out->entry = f->interpreter_open ? interp.entry : prog.entry;
	out->sp = stack_build(vm_stack_top(), f->argv, envp, f->path, &f->program, &prog, interp.bias);
	vm_stack_start(out->sp);
	if (!out->sp)
		fail(f->path, -E2BIG, NULL);
	fs_proc_self(f->program.path, f->argv, envp);
	load_drop(f);
}

/* Open what the user typed, or what was given to execve. */
static int typed_open(struct load_found *f, const struct load_program *p, char *found, size_t max)
{
	const char *dirs;
	int err;

	if (!p->search || strchr(p->typed, '/'))
		return program_open(f, p->typed);
	dirs = env_get(p->envp, "PATH");
	err = path_search(p->typed, dirs ? dirs : DEFAULT_PATH, found, max, &f->program);
	f->path = found;
	f->program_open = !err;
	return err ? wrong(f, p->typed, err, NULL) : 0;
}

void load_program(struct thread *t, const struct load_program *p, struct load_result *out)
{
	struct load_found *f = calloc(1, sizeof(*f));
	char found[4096];
	int err;

	if (!*p->typed)
		fail("the empty name", -ENOENT, NULL);
	if (!f)
		fail(p->typed, -ENOMEM, NULL);
	f->argv = p->argv;
	err = typed_open(f, p, found, sizeof(found));
	if (!err)
		err = scripts_follow(f);
	if (!err)
		err = images_read(f);
	if (err)
		fail(f->what, err, f->why);
	load_map(t, f, p->envp, out);
	fs_program_forget();
}
