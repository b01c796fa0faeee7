/* Records, log entries and packed labels as they come from a disk that may hold anything. The first
 * byte chooses whether the checksum is put right, so that what lies behind it is reached. */
#include <string.h>

#include "base/hash.h"
#include "store/store_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct str packed)
{
    struct str v;

    for (int fields = 0; fields < 2; fields++)
        if (store_packed_find(packed, fields, STR("app"), &v) && v.len > packed.len)
            __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char key[] = "\0\1ns/name";
    char copy[4096];
    MDB_val lkey = { .mv_size = sizeof(key) - 1, .mv_data = key }, value;
    struct store_record r;
    struct store_log l;

    if (size < 1 || size - 1 > sizeof(copy))
        return 0;
    memcpy(copy, data + 1, size - 1);
    value = (MDB_val){ .mv_size = size - 1, .mv_data = copy };
    if (data[0] & 1 && value.mv_size >= 4) {
        uint32_t crc =
            hash_crc32c(hash_crc32c(0, key, sizeof(key) - 1), copy + 4, value.mv_size - 4);

        memcpy(copy, &crc, 4);
    }
    if (store_record_decode(lkey, str_n(key + 2, sizeof(key) - 3), value, &r) == 0) {
        if (r.key.len > size + sizeof(key))
            __builtin_trap();
        look(r.packed);
    }
    if (store_log_decode(lkey, value, &l) == 0 && l.record.mv_size > size)
        __builtin_trap();
    look(str_n(copy, value.mv_size));
    return 0;
}
