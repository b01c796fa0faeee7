/* The pictures of static Pods in the API: made while there is a static Pod, made anew when somebody
 * removes one or it shows an older text, removed with the Pod. What happens to a picture never
 * happens to the Pod. One loop. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct api_object;
struct core_v1_node;
struct loop;
struct mirror_pods;
struct rest_client;

struct mirror_pods_options {
    struct loop *loop;
    struct rest_client *client;
    /* The static Pod of that key as it is wanted now; NULL: none. */
    const struct api_object *(*wanted)(struct str key, void *arg);
    const struct core_v1_node *(*node)(void *arg); /* their owner; NULL: not known yet */
    void (*on_mirror)(struct str key, void *arg);  /* there is a new one to tell the status to */
    void *arg;
};

struct mirror_pods *mirror_pods_new(const struct mirror_pods_options *o); /* copies */
void mirror_pods_free(struct mirror_pods *m);                             /* accepts NULL */

bool mirror_pods_is_mirror(const struct api_object *pod);
/* The API's word about one; new NULL: it is gone. */
void mirror_pods_change(struct mirror_pods *m, const struct api_object *old,
                        const struct api_object *new);
/* All that the API has was told of. */
void mirror_pods_synced(struct mirror_pods *m);
/* A static Pod has come or gone, or the Node is known now (key unset: all). */
void mirror_pods_wake(struct mirror_pods *m, struct str key);
/* The picture of a static Pod; NULL: none (yet). */
const struct api_object *mirror_pods_find(const struct mirror_pods *m,
                                          const struct api_object *pod);
