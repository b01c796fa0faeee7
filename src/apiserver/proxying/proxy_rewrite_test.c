#include "apiserver/proxying/proxy_rewrite.h"

#include <criterion/criterion.h>

static const struct proxy_rewrite rewrite = {
    .prefix = STR_INIT("/api/v1/namespaces/n/pods/p:80/proxy"),
    .target = STR_INIT("10.1.2.3:80"),
    .request_host = STR_INIT("localhost:8001"),
};
#define P "/api/v1/namespaces/n/pods/p:80/proxy"

static const struct {
    const char *url, *want;
} cases[] = {
    { "/", P "/" },
    { "/x", P "/x" },
    { "/x/?q=/a#/f", P "/x/?q=/a#/f" },
    { "//example.com/x", "//example.com/x" },
    { "http://example.com/x", "http://example.com/x" },
    { "http://10.1.2.3:80/x", P "/x" },
    { "http://10.1.2.3/x", P "/x" },
    { "http://10.1.2.3:8080/x", "http://10.1.2.3:8080/x" },
    { "http://localhost:8001/x", "http://localhost:8001" P "/x" },
    { P "/x", P "/x" },
    { "/a//b/./../c", P "/a/c" },
    { "/../../../../../../../../..", "/" },
    { "x/y", "x/y" },
    { "../x", "../x" },
    { "?q", "?q" },
    { "#f", "#f" },
    { "", "" },
    { "mailto:a@b", "mailto:a@b" },
    { "javascript:x()", "javascript:x()" },
};

Test(proxy_rewrite, urls)
{
    struct buf out = { 0 };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buf_reset(&out);
        proxy_rewrite_url(&rewrite, str_from_cstr(cases[i].url), &out);
        cr_assert(str_eq(buf_str(&out), str_from_cstr(cases[i].want)), "%s: %.*s", cases[i].url,
                  STR_ARG(buf_str(&out)));
    }
    buf_done(&out);
}
