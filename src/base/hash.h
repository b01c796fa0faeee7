/* Hashes: a keyed one for tables (SipHash-1-3 with a key drawn once per process, so that peers
 * cannot choose collisions) and CRC32C for stored bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

uint64_t hash_bytes(const void *p, size_t len); /* differs from process to process */

static inline uint64_t hash_str(struct str s)
{
    return hash_bytes(s.p, s.len);
}

uint64_t hash_siphash13(const uint64_t key[2], const void *p, size_t len); /* little-endian reads */
/* CRC32C (Castagnoli, RFC 3720 appendix B.4) of more bytes after `crc`; start with 0. */
uint32_t hash_crc32c(uint32_t crc, const void *p, size_t len);
