/* Objects from protobuf, bare and in the envelope. */
#include "fuzz_objects.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct object_pb_envelope envelope = { 0 };
    struct object o;
    struct str pb;
    struct err err = { 0 };

    if (size < 1)
        return 0;
    arena_init(&a, (size_t)32 << 20);
    pb = str_n((const char *)data + 1, size - 1);
    if (object_pb_has_magic(pb)) {
        if (object_pb_open(pb, &envelope, &err) < 0)
            return 0;
        pb = envelope.raw;
    }
    if (object_pb_decode(&a, &schema_builtin, fuzz_type(data[0]), pb, &o, &err) >= 0 &&
        !arena_is_over(&a))
        fuzz_turn(&a, o);
    return 0;
}
