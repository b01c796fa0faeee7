/* Where threads meet: a loop's inbox of intrusive messages. Any thread posts; the loop's thread
 * runs them in order of posting, outside the lock. Nothing is allocated. */
#pragma once

#include "base/list.h"

struct loop;
struct mailbox;
struct mailbox_message;

typedef void mailbox_fn(struct mailbox_message *m);

struct mailbox_message {
    struct list link;
    mailbox_fn *fn; /* runs on the loop; may free or re-post the message */
};

struct mailbox *mailbox_new(struct loop *l);
void mailbox_free(
    struct mailbox *m); /* on its loop; messages still queued are run first; accepts NULL */
/* Any thread. A message is in one mailbox at a time; posting it again before it ran is a bug. */
void mailbox_post(struct mailbox *m, struct mailbox_message *msg);
/* All messages of the list (linked by `link`), which is empty afterwards: one wake-up. */
void mailbox_post_all(struct mailbox *m, struct list *messages);
