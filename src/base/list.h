/* Intrusive doubly linked ring. A head is a node that belongs to no object; an unlinked node points
 * to itself, so list_remove() may be called twice. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_is_empty(const struct list *l) /* for a node: is it unlinked */
{
    return l->next == l;
}

static inline void list_append(struct list *head, struct list *node) /* at the end */
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
    list_append(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Moves all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

static inline struct list *list_first(const struct list *head) /* NULL when empty */
{
    return list_is_empty(head) ? NULL : head->next;
}

#define LIST_FOREACH(n, head) for (struct list *n = (head)->next; n != (head); n = n->next)
/* The current node may be removed. */
#define LIST_FOREACH_SAFE(n, head)                                                                 \
    for (struct list *n = (head)->next, *n##_next = n->next; n != (head);                          \
         n = n##_next, n##_next = n->next)
