/* Process-wide allocation. Never returns NULL: an allocation that the system refuses aborts the
 * process, which must be safe anywhere (restart re-reads the store). Sizes that a peer controls are
 * bounded before they get here. */
#pragma once

#include <stddef.h>

#include "base/macros.h"

void *mem_alloc(size_t size);                                     /* uninitialised */
void *mem_zalloc(size_t size);                                    /* zeroed */
void *mem_realloc(void *p, size_t size);                          /* as realloc; p may be NULL */
void *mem_realloc_array(void *p, size_t count, size_t elem_size); /* overflow aborts */
void *mem_dup(const void *p, size_t size);
void mem_free(void *p); /* accepts NULL */

/* Whole pages of its own, zeroed: those that are never touched take no memory. */
void *mem_pages_alloc(size_t size);
void mem_pages_free(void *p, size_t size); /* accepts NULL */

DEFINE_CLEANUP(void *, mem_free);

#define NEW(T) ((T *)mem_zalloc(sizeof(T)))
