/* A zone's file; what it says of any moment is an offset, and the way back from local time leads
 * near where it came from. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "codec/time_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t moments[] = { -5000000000, -1, 0, 1774746000, 1792890000, 4000000000 };
    struct time_zone *z;
    struct err err;

    if (size > TIME_ZONE_MAX_BYTES ||
        time_zone_parse(str_n((const char *)data, size), &z, &err) < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
        int64_t local = moments[i] + time_zone_offset(z, moments[i]);
        int64_t back = time_zone_to_utc(z, local);

        if (llabs(back - moments[i]) > 20 * 86400)
            abort();
    }
    time_zone_free(z);
    return 0;
}
