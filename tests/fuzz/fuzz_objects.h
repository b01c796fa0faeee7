/* What the fuzz targets of both object codecs share: the types that the first byte chooses from. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "api/object.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline const struct schema_type *fuzz_type(uint8_t choice)
{
    static const char *const types[][3] = {
        { "", "v1", "Pod" },
        { "", "v1", "ConfigMap" },
        { "", "v1", "Service" },
        { "apps", "v1", "Deployment" },
        { "autoscaling", "v2", "HorizontalPodAutoscaler" },
        { "apiextensions.k8s.io", "v1", "CustomResourceDefinition" },
        { "batch", "v1", "CronJob" },
        { "", "v1", "PodList" },
        { "coordination.k8s.io", "v1", "Lease" },
        { "admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration" },
        { "meta.k8s.io", "v1", "Status" },
    };
    const char *const *t = types[choice % ARRAY_LEN(types)];

    return schema_find_type(&schema_builtin, str_from_cstr(t[0]), str_from_cstr(t[1]),
                            str_from_cstr(t[2]));
}

/* What was decoded survives a turn through JSON and one through protobuf. Empty and absent lists
 * are told apart by JSON alone, unset times and quantities are spelled out by protobuf: so what
 * came out of the first turn is what the later ones are compared with. */
static inline void fuzz_turn(struct arena *a, struct object o)
{
    struct buf first = { .arena = a }, second = { .arena = a }, pb = { .arena = a };
    struct object again;
    struct err err = { 0 };

    object_json_encode(&first, o, NULL);
    if (object_json_decode(a, o.schema, o.type, buf_str(&first), &again, NULL, &err) < 0) {
        if (!arena_is_over(a))
            abort();
        return;
    }
    object_json_encode(&second, again, NULL);
    if (!str_eq(buf_str(&first), buf_str(&second)))
        abort();
    object_pb_encode(&pb, again);
    if (object_pb_decode(a, o.schema, o.type, buf_str(&pb), &again, &err) < 0 && !arena_is_over(a))
        abort();
}
