#include "io/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { THREAD_NAME_BYTES = 16 }; /* the kernel's, with the NUL */

struct thread {
    pthread_t id;
    void (*fn)(void *arg);
    void *arg;
    char name[THREAD_NAME_BYTES];
};

static void *run(void *arg)
{
    struct thread *t = arg;

    (void)pthread_setname_np(pthread_self(), t->name); /* a name is only for people */
    t->fn(t->arg);
    return NULL;
}

struct thread *thread_start(const char *name, void (*fn)(void *arg), void *arg)
{
    struct thread *t = NEW(struct thread);
    sigset_t all, old;
    size_t len = strnlen(name, THREAD_NAME_BYTES - 1);
    int r;

    t->fn = fn;
    t->arg = arg;
    memcpy(t->name, name, len);
    /* Blocked before the thread is born, so that no signal can reach it first. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    r = pthread_create(&t->id, NULL, run, t);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0) {
        LOG_ERROR("cannot start a thread", KV("name", name), KV("errno", r));
        abort();
    }
    return t;
}

void thread_join(struct thread *t)
{
    if (!t)
        return;
    (void)pthread_join(t->id, NULL);
    mem_free(t);
}
