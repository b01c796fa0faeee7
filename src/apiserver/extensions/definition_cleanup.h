/* The objects of a CustomResourceDefinition that goes: deleted one after the other, those with
 * finalizers marked and waited for. */
#pragma once

#include <stdbool.h>

struct apiserver;
struct custom_definition;
struct definition_cleanup;
struct loop;

/* settled() runs when no object is left, on the loop. */
struct definition_cleanup *definition_cleanup_start(struct apiserver *s, struct loop *l,
                                                    struct custom_definition *d,
                                                    void (*settled)(void *arg), void *arg);
bool definition_cleanup_is_done(const struct definition_cleanup *c);
void definition_cleanup_stop(struct definition_cleanup *c); /* accepts NULL */
