/* Docker's configuration files out of Secrets, whatever is in them. */
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "kubelet/image/image_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct image_auth_config c[2] = { { str_n((const char *)data, size), false },
                                      { str_n((const char *)data, size), true } };
    struct runtime_auth auths[4];

    (void)image_auth_find(&a, c, 2, STR("r.example.com:5000/team/x:1"), auths, 4);
    (void)image_auth_find(&a, c, 2, STR("busybox"), auths, 4);
    return 0;
}
