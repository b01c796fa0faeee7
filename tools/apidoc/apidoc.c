/* Prints the resource rows for scripts/api-docs.py: a line each, with tabs between group version,
 * stability, resource, kind, scope, verbs, subresources (NAME:VERB,VERB) and the number of
 * validation rows that are checked somewhere in an object. */
#include <stdio.h>

#include "api/resource.h"
#include "api/schema.h"
#include "api/validation.h"
#include "base/str.h"

static void print_verbs(unsigned verbs, bool connect)
{
    bool first = true;

    for (int v = 0; v < RESOURCE_VERB_INDEX_MAX; v++)
        if (verbs & 1U << v) {
            printf("%s%s", first ? "" : ",", resource_verb_name((enum resource_verb_index)v));
            first = false;
        }
    if (connect)
        printf("%sconnect", first ? "" : ",");
}

static void print_row(const struct resource *r)
{
    const struct resource_group_version *g = resource_find_group_version(r->group, r->version);

    printf("%.*s%s%.*s\t%.*s\t%.*s\t%.*s\t%s\t", STR_ARG(r->group), r->group.len ? "/" : "",
           STR_ARG(r->version), STR_ARG(g->stability), STR_ARG(r->name), STR_ARG(r->kind),
           resource_is_namespaced(r) ? "namespaced" : "cluster");
    print_verbs(r->verbs, false);
    printf("\t");
    for (size_t i = 0; i < r->n_subresources; i++) {
        printf("%s%.*s:", i ? " " : "", STR_ARG(r->subresources[i].name));
        print_verbs(r->subresources[i].verbs, r->subresources[i].connect);
    }
    printf("\t%zu\n", validation_count_rules(&schema_builtin, r->type));
}

int main(void)
{
    for (size_t i = 0; i < resource_table_len; i++)
        if (resource_table[i].flags & RESOURCE_SERVED)
            print_row(&resource_table[i]);
    return 0;
}
