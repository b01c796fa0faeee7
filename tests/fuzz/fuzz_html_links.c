/* Links of pages: nothing is lost or added, however the page is cut into pieces. */
#include <stdint.h>
#include <stdlib.h>

#include "apiserver/proxying/html_links.h"
#include "apiserver/proxying/proxy_rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(void *arg, struct str url, struct buf *out)
{
    const struct proxy_rewrite p = { STR("/p"), STR("10.0.0.1:80"), STR("h") };
    struct buf *other = arg;

    buf_reset(other);
    proxy_rewrite_url(&p, url, other);
    buf_append_str(out, url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = { 0 }, other = { 0 };
    struct html_links h = { .rewrite = same, .arg = &other };
    struct str page = str_n((const char *)data, size), rest;
    size_t piece;

    if (!size)
        return 0;
    piece = 1 + data[0] % 32;
    for (rest = page; rest.len; rest = str_tail(rest, piece))
        html_links_feed(&h, str_sub(rest, 0, piece), &out);
    html_links_end(&h, &out);
    if (!str_eq(buf_str(&out), page))
        abort();
    html_links_done(&h);
    buf_done(&out);
    buf_done(&other);
    return 0;
}
