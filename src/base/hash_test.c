/* Known answers. */
#include "base/hash.h"

#include <criterion/criterion.h>

Test(hash, crc32c_of_rfc_3720)
{
    unsigned char b[32];

    cr_expect_eq(hash_crc32c(0, "123456789", 9), 0xe3069283);
    memset(b, 0, sizeof(b));
    cr_expect_eq(hash_crc32c(0, b, sizeof(b)), 0x8a9136aa);
    memset(b, 0xff, sizeof(b));
    cr_expect_eq(hash_crc32c(0, b, sizeof(b)), 0x62a8ab43);
    for (unsigned i = 0; i < sizeof(b); i++)
        b[i] = (unsigned char)i;
    cr_expect_eq(hash_crc32c(0, b, sizeof(b)), 0x46dd794e);
    for (size_t cut = 0; cut <= sizeof(b); cut++)
        cr_expect_eq(hash_crc32c(hash_crc32c(0, b, cut), b + cut, sizeof(b) - cut), 0x46dd794e,
                     "%zu", cut);
}

Test(hash, siphash_differs_by_key_and_by_every_byte)
{
    static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 }, other[2] = { 1, 2 };
    unsigned char b[64] = { 0 };
    uint64_t seen[64];

    for (size_t len = 0; len < sizeof(b); len++) {
        b[len] = (unsigned char)len;
        seen[len] = hash_siphash13(key, b, len);
        cr_expect_neq(seen[len], hash_siphash13(other, b, len));
        for (size_t i = 0; i < len; i++) {
            cr_expect_neq(seen[len], seen[i]);
            b[i] ^= 1;
            cr_expect_neq(seen[len], hash_siphash13(key, b, len), "byte %zu of %zu", i, len);
            b[i] ^= 1;
        }
    }
    cr_assert_eq(hash_bytes("abc", 3), hash_str(STR("abc")));
}
