#include "io/mailbox.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "io/io_internal.h"

struct mailbox {
    uv_async_t wake;
    pthread_mutex_t lock;
    struct list messages; /* under the lock */
};

static void run_messages(struct mailbox *m)
{
    struct list now;
    struct list *n;

    list_init(&now);
    (void)pthread_mutex_lock(&m->lock);
    list_splice(&now, &m->messages);
    (void)pthread_mutex_unlock(&m->lock);
    while ((n = list_first(&now))) {
        struct mailbox_message *msg = CONTAINER_OF(n, struct mailbox_message, link);

        list_remove(n);
        msg->fn(msg);
    }
}

static void on_wake(uv_async_t *wake)
{
    run_messages(CONTAINER_OF(wake, struct mailbox, wake));
}

struct mailbox *mailbox_new(struct loop *l)
{
    struct mailbox *m = NEW(struct mailbox);

    list_init(&m->messages);
    (void)pthread_mutex_init(&m->lock, NULL);
    if (uv_async_init(loop_uv_(l), &m->wake, on_wake) < 0)
        abort(); /* no descriptor for an eventfd at start */
    return m;
}

static void on_closed(uv_handle_t *h)
{
    struct mailbox *m = CONTAINER_OF((uv_async_t *)(void *)h, struct mailbox, wake);

    (void)pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

void mailbox_free(struct mailbox *m)
{
    if (!m)
        return;
    run_messages(m);
    uv_close((uv_handle_t *)&m->wake, on_closed);
}

void mailbox_post_all(struct mailbox *m, struct list *messages)
{
    bool was_empty;

    if (list_is_empty(messages))
        return;
    (void)pthread_mutex_lock(&m->lock);
    was_empty = list_is_empty(&m->messages);
    list_splice(&m->messages, messages);
    /* Under the lock, so that the mailbox cannot end between the two steps. */
    if (was_empty)
        (void)uv_async_send(&m->wake);
    (void)pthread_mutex_unlock(&m->lock);
}

void mailbox_post(struct mailbox *m, struct mailbox_message *msg)
{
    struct list one;

    list_init(&one);
    list_append(&one, &msg->link);
    mailbox_post_all(m, &one);
}
