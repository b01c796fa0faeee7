#include "apiserver/proxying/proxy_path.h"

#include "apiserver/api_request.h"
#include "apiserver/status_response.h"
#include "base/buf.h"
#include "http/http_server.h"

bool proxy_path_name(struct api_request *r, struct proxy_name *ret, struct status *ret_status)
{
    struct proxy_name n = { STR(""), r->info.name, STR("") };
    struct str head, tail, port;

    if (str_cut(r->info.name, ':', &head, &tail)) {
        n.name = head;
        n.port = tail;
        if (str_cut(tail, ':', &tail, &port)) {
            n.scheme = head;
            n.name = tail;
            n.port = port;
        }
    }
    if (n.name.len && str_find(n.port, ':') < 0 &&
        (!n.scheme.len || str_eq(n.scheme, STR("http")) || str_eq(n.scheme, STR("https")))) {
        *ret = n;
        return true;
    }
    *ret_status = status_plain(r->arena, STATUS_BAD_REQUEST, "invalid %.*s request \"%.*s\"",
                               STR_ARG(r->info.resource), STR_ARG(r->info.name));
    return false;
}

struct str proxy_path_prefix(const struct api_request *r)
{
    struct str path = http_request_path(r->http);
    /* api v1 [namespaces NS] RESOURCE NAME proxy */
    size_t segments = r->info.namespace.len ? 7 : 5, at = 0;

    for (size_t i = 0; i < segments && at < path.len; i++) {
        while (at < path.len && path.p[at] == '/')
            at++;
        while (at < path.len && path.p[at] != '/')
            at++;
    }
    return str_sub(path, 0, at);
}

void proxy_path_append(const struct api_request *r, struct buf *b)
{
    struct str path = http_request_path(r->http), query = http_request_query(r->http);
    size_t at = proxy_path_prefix(r).len;

    if (at == path.len)
        buf_append_char(b, '/');
    buf_append_str(b, str_tail(path, at));
    if (query.len) {
        buf_append_char(b, '?');
        buf_append_str(b, query);
    }
}

void proxy_path_escape(struct buf *b, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            buf_append_char(b, (char)c);
            continue;
        }
        buf_append_char(b, '%');
        buf_append_char(b, hex[c >> 4]);
        buf_append_char(b, hex[c & 15]);
    }
}
