/* Network namespaces by descriptor. The caller's own threads never change theirs: what must be done
 * inside runs on a thread that lives for that alone. A socket opened inside stays there for life,
 * so most uses need no more than netns_socket(). */
#pragma once

struct err;

/* A new namespace with lo up, held by a file at path (made; it must not exist). */
int netns_create(const char *path, struct err *err);
/* Lets go of it: unmounts and removes the file. What is absent already is fine. */
int netns_remove(const char *path, struct err *err);
int netns_open(const char *path, struct err *err); /* descriptor of a namespace's file */

/* This process moves inside for good; before it has threads. */
int netns_enter(const char *path, struct err *err);
/* Runs fn(arg) inside, on a thread of its own, and waits; its result, or -errno of getting there.
 */
int netns_run(int netns_fd, int (*fn)(void *arg), void *arg);
/* socket(2) inside, close-on-exec; netns_fd -1 is where we are. */
int netns_socket(int netns_fd, int domain, int type, int protocol);
/* Writes a file below /proc/sys/net as it is inside: netns_sysctl(fd, "net/ipv4/ip_forward", "1").
 * Dots may stand for slashes. */
int netns_sysctl(int netns_fd, const char *key, const char *value, struct err *err);
