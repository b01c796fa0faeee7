/* SPDY's frames: whatever comes, streams begin once, end at most once, and say nothing afterwards.
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/spdy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char tags[1 << 16]; /* by a stream's number: is it open? */

static bool write_nowhere(void *to, struct str bytes)
{
    (void)to;
    return bytes.len % 3 != 0;
}

static void *on_stream(struct spdy *s, uint32_t id, const struct http_header *h, size_t n,
                       void *arg)
{
    (void)s, (void)h, (void)arg;
    if (id >= sizeof(tags) || n > 3)
        return NULL;
    tags[id] = 1;
    return &tags[id];
}

static void on_data(struct spdy *s, void *stream, struct str bytes, void *arg)
{
    uint32_t id = (uint32_t)((char *)stream - tags);

    (void)arg;
    if (!tags[id])
        abort();
    (void)spdy_send(s, id, bytes);
}

static void on_finish(struct spdy *s, void *stream, void *arg)
{
    (void)arg;
    if (!*(char *)stream)
        abort();
    *(char *)stream = 0;
    spdy_finish(s, (uint32_t)((char *)stream - tags));
}

static void on_reset(struct spdy *s, void *stream, void *arg)
{
    (void)s, (void)arg;
    *(char *)stream = 0;
}

static void on_drain(struct spdy *s, void *arg)
{
    (void)s, (void)arg;
}

static void on_end(struct spdy *s, void *arg)
{
    (void)s, (void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct spdy_ops ops = {
        on_stream, on_data, on_finish, on_reset, on_drain, on_end
    };
    struct spdy *s = spdy_new(&ops, NULL, write_nowhere, NULL);

    spdy_feed(s, str_n((const char *)data, size / 2));
    spdy_feed(s, str_n((const char *)data + size / 2, size - size / 2));
    spdy_end(s);
    return 0;
}
