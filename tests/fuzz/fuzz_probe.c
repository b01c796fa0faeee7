/* What a container answers to probes: the Location of a redirect, a gRPC health message. The first
 * byte picks. */
#include <stdint.h>
#include <stdlib.h>

#include "kubelet/prober/probe_action_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resolve(struct str location)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct probe_url from = { false, STR("10.0.0.1"), 8080, STR("/a/b?c=d") }, to;

    if (!probe_http_resolve(&a, &from, location, &to))
        return;
    /* What is asked next is one request line and one host. */
    if (!to.host.len || !to.port || !to.path.len || to.path.p[0] != '/')
        abort();
    for (size_t i = 0; i < to.path.len; i++)
        if ((unsigned char)to.path.p[i] <= ' ')
            abort();
    if (str_find(to.host, '/') >= 0 || str_find(to.host, '@') >= 0)
        abort();
    if (str_find_str(to.path, STR("/../")) >= 0 && str_find(to.path, '?') < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = size ? str_n((const char *)data + 1, size - 1) : STR_NULL;

    if (size && data[0] == 'g') {
        int health = probe_grpc_read_health(rest);

        if (health < -1 || health > 3)
            abort();
    } else if (size) {
        resolve(rest);
    }
    return 0;
}
