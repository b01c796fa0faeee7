/* Events about objects (core/v1), as client-go's recorder writes them: what repeats becomes a
 * higher count on one Event, what is alike but for its message is put together after ten of them,
 * and one object may cause so many (25 at once, then one in five minutes). Fire and forget: a
 * server that is away costs Events, not memory. One loop. */
#pragma once

#include "base/str.h"

struct api_object;
struct event_recorder;
struct loop;
struct rest_client;

struct event_recorder_options {
    struct loop *loop;
    struct rest_client *client;
    struct str component; /* "kubelet", "default-scheduler" */
    struct str host;      /* unset: none */
};

/* An object as an Event names it. */
struct event_reference {
    struct str api_version, kind, namespace, name, uid, resource_version;
    struct str field_path; /* "spec.containers{web}"; unset: the whole */
};

struct event_recorder *event_recorder_new(const struct event_recorder_options *o); /* copies */
void event_recorder_free(struct event_recorder *r); /* drops what is not sent; accepts NULL */

/* type: "Normal" or "Warning". Copies everything; the message is cut to 1,024 bytes. An object
 * without a namespace gets its Event in "default". */
void event_recorder_event(struct event_recorder *r, const struct event_reference *about,
                          const char *type, struct str reason, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* What an object of the cache is referred to as; strings are the object's. */
struct event_reference event_reference_of(const struct api_object *o);
