/* What the doctor says, as text or as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/cli.h"
#include "cli/json_print.h"
#include "cli/doctor/doctor.h"

static const char *const state_names[] = { "ok", "limited", "missing" };

void doctor_print(const struct doctor_finding *found, const struct doctor_mode modes[DOCTOR_MODES])
{
	char text[DOCTOR_TEXT_BYTES + 120];

	for (unsigned i = 0; i < doctor_checks_n; i++) {
		const struct doctor_finding *f = &found[i];

		printf("%-17s %-8s %s\n", doctor_checks[i].name, state_names[f->state], f->found);
		if (f->state == DOCTOR_OK)
			continue;
		printf("%-26s for: %s\n", "", doctor_checks[i].why);
		if (f->means[0])
			printf("%-26s means: %s\n", "", f->means);
		if (f->fix[0])
			printf("%-26s mend: %s\n", "", f->fix);
	}
	printf("\n");
	for (unsigned k = 0; k < DOCTOR_MODES; k++)
		printf("mode %-12s %-8s %s\n", modes[k].name, modes[k].works ? "works" : "not here", modes[k].why);
	doctor_summary(found, modes, text, sizeof(text));
	printf("%s\n", text);
}

static json_t *needed_json(uint32_t needed, const struct doctor_mode modes[DOCTOR_MODES])
{
	json_t *list = json_array();

	for (unsigned k = 0; k < DOCTOR_MODES; k++)
		if (needed & modes[k].bit)
			json_array_append_new(list, json_string(modes[k].name));
	return list;
}

int doctor_print_json(const struct doctor_finding *found, const struct doctor_mode modes[DOCTOR_MODES])
{
	json_t *all = json_object(), *checks = json_array(), *list = json_array();
	char text[DOCTOR_TEXT_BYTES + 120];

	for (unsigned i = 0; i < doctor_checks_n; i++) {
		json_t *o = json_object();

		json_object_set_new(o, "name", json_string(doctor_checks[i].name));
		json_object_set_new(o, "state", json_string(state_names[found[i].state]));
		json_object_set_new(o, "why", json_string(doctor_checks[i].why));
		json_object_set_new(o, "needed_by", needed_json(doctor_checks[i].needed, modes));
		json_object_set_new(o, "found", json_string(found[i].found));
		json_object_set_new(o, "means", json_string(found[i].means));
		json_object_set_new(o, "fix", json_string(found[i].fix));
		json_array_append_new(checks, o);
	}
	for (unsigned k = 0; k < DOCTOR_MODES; k++) {
		json_t *o = json_object();

		json_object_set_new(o, "name", json_string(modes[k].name));
		json_object_set_new(o, "works", json_boolean(modes[k].works));
		json_object_set_new(o, "why", json_string(modes[k].why));
		json_array_append_new(list, o);
	}
	doctor_summary(found, modes, text, sizeof(text));
	json_object_set_new(all, "checks", checks);
	json_object_set_new(all, "modes", list);
	json_object_set_new(all, "works", json_boolean(modes[0].works));
	json_object_set_new(all, "summary", json_string(text));
	return json_print(all);
}
