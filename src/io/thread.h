/* Threads. They share nothing but what is immutable or counted, and meet in mailboxes. */
#pragma once

struct thread;

/* Runs fn(arg) on a new thread with all signals blocked; aborts when the system has no more. name
 * is cut to 15 bytes. */
struct thread *thread_start(const char *name, void (*fn)(void *arg), void *arg);
void thread_join(struct thread *t); /* waits and frees; accepts NULL */
