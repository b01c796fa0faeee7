/* What the files of structural/ share. */
#pragma once

#include "api/structural/structural.h"

struct pcre2_real_code_8;

/* -1 and unset: no such check. */
struct structural_checks {
    struct str format;  /* one that is known for the type, else unset */
    struct str pattern; /* as written */
    const struct pcre2_real_code_8 *pattern_code;
    bool has_maximum, has_minimum, exclusive_maximum, exclusive_minimum, has_multiple_of;
    double maximum, minimum, multiple_of;
    int64_t max_length, min_length, max_items, min_items, max_properties, min_properties;
    bool unique_items;
    const struct value *enums;
    size_t n_enums;
    const struct str *required;
    size_t n_required;
    /* Schemas of which all, one, exactly one or none must hold. */
    const struct structural *all_of, *any_of, *one_of, *none_of;
    size_t n_all_of, n_any_of, n_one_of;
};

struct arena;
struct err;

/* The expression in RE2's syntax, searched for anywhere in a text; freed with the arena. */
int structural_pattern_compile(struct arena *a, struct str pattern,
                               const struct pcre2_real_code_8 **ret, struct err *err);
/* One that needs more than its limits, or than *steps, matches nothing; what it cost is taken off
 * *steps. */
bool structural_pattern_matches(const struct pcre2_real_code_8 *code, struct str text,
                                int64_t *steps);

/* The format as the checks know it ("date-time" is "datetime"); unset: unknown for this type, and
 * then ignored. */
struct str structural_format_known(enum structural_type t, struct str format);
bool structural_format_holds(struct str format, struct str text);
