/* What a new cluster begins with: the namespaces that everyone expects. */
#pragma once

struct apiserver;
struct loop;

/* Writes what is missing; done(arg, 0 or an error) runs once, on the loop. */
void bootstrap_start(struct apiserver *s, struct loop *l, void (*done)(void *arg, int result),
                     void *arg);
