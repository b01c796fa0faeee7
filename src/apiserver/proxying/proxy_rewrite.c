#include "apiserver/proxying/proxy_rewrite.h"

#include <stdbool.h>

struct parts {
    struct str scheme, host, path, tail; /* tail: "?query#fragment"; host unset: there is none */
};

static bool is_scheme_char(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (!is_first && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
}

static void split(struct str url, struct parts *ret)
{
    size_t at = 0, from;

    *ret = (struct parts){ 0 };
    while (at < url.len && is_scheme_char(url.p[at], at == 0))
        at++;
    if (at && at < url.len && url.p[at] == ':')
        ret->scheme = str_sub(url, 0, at++);
    else
        at = 0;
    if (str_has_prefix(str_tail(url, at), STR("//"))) {
        from = at += 2;
        while (at < url.len && url.p[at] != '/' && url.p[at] != '?' && url.p[at] != '#')
            at++;
        ret->host = str_sub(url, from, at);
    }
    from = at;
    while (at < url.len && url.p[at] != '?' && url.p[at] != '#')
        at++;
    ret->path = str_sub(url, from, at);
    ret->tail = str_tail(url, at);
}

/* "10.1.2.3" is "10.1.2.3:80" too. */
static bool is_target(const struct proxy_rewrite *p, struct str host)
{
    struct str bare = p->target;

    if (str_eq(host, p->target))
        return true;
    return (str_has_suffix(bare, STR(":80")) &&
            str_eq(host, str_sub(bare, 0, bare.len - STR(":80").len))) ||
           (str_has_suffix(bare, STR(":443")) &&
            str_eq(host, str_sub(bare, 0, bare.len - STR(":443").len)));
}

/* Appends path below root without ".", ".." and empty parts; ".." leads no higher than "/". */
static void append_clean(struct buf *out, size_t root, struct str path)
{
    struct str part;

    while (str_next(&path, '/', &part)) {
        if (!part.len || str_eq(part, STR(".")))
            continue;
        if (!str_eq(part, STR(".."))) {
            buf_append_char(out, '/');
            buf_append_str(out, part);
            continue;
        }
        while (out->len > root && out->p[--out->len] != '/')
            ;
    }
}

void proxy_rewrite_url(const struct proxy_rewrite *p, struct str url, struct buf *out)
{
    struct parts u;
    size_t root;

    split(url, &u);
    if ((u.host.len && !is_target(p, u.host) && !str_eq(u.host, p->request_host)) ||
        !str_has_prefix(u.path, STR("/"))) {
        buf_append_str(out, url);
        return;
    }
    if (u.host.len && str_eq(u.host, p->request_host)) {
        if (u.scheme.len)
            buf_printf(out, "%.*s:", STR_ARG(u.scheme));
        buf_printf(out, "//%.*s", STR_ARG(u.host));
    }
    if (str_has_prefix(u.path, p->prefix)) {
        buf_append_str(out, u.path);
    } else {
        root = out->len;
        append_clean(out, root, p->prefix);
        append_clean(out, root, u.path);
        if (str_has_suffix(u.path, STR("/")) || out->len == root)
            buf_append_char(out, '/');
    }
    buf_append_str(out, u.tail);
}
