/* Randomness from the kernel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena;
struct str;

void random_bytes(void *p,
                  size_t len); /* aborts if the kernel has none, which no Linux does after boot */
uint64_t random_u64(void);
enum { RANDOM_UUID_LEN = 36 };
void random_uuid(char ret[RANDOM_UUID_LEN + 1]); /* version 4, RFC 9562, NUL-terminated */
