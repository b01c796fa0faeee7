#include "apiserver/proxying/proxy_path.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/proxying/proxy_rewrite.h"
#include "apiserver/proxying/relay.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
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

/* Length of the path up to and with "/proxy". */
static size_t prefix_len(const struct api_request *r, struct str path)
{
    /* api v1 [namespaces NS] RESOURCE NAME proxy */
    size_t segments = r->info.namespace.len ? 7 : 5, at = 0;

    for (size_t i = 0; i < segments && at < path.len; i++) {
        while (at < path.len && path.p[at] == '/')
            at++;
        while (at < path.len && path.p[at] != '/')
            at++;
    }
    return at;
}

void proxy_path_aim(struct api_request *r, struct str scheme, struct relay_target *t)
{
    struct str path = http_request_path(r->http), query = http_request_query(r->http);
    size_t at = prefix_len(r, path);
    bool is_v6 = str_find(t->address, ':') >= 0;
    struct proxy_rewrite *rewrite = ARENA_NEW(r->arena, struct proxy_rewrite);

    t->path = arena_printf(r->arena, "%s%.*s%s%.*s", at == path.len ? "/" : "",
                           STR_ARG(str_tail(path, at)), query.len ? "?" : "", STR_ARG(query));
    *rewrite = (struct proxy_rewrite){
        .prefix = str_sub(path, 0, at),
        .target =
            arena_printf(r->arena, is_v6 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(t->address), t->port),
        .request_host = http_request_header(r->http, STR("host")),
    };
    t->rewrite = rewrite;
    if (str_eq(scheme, STR("https")))
        t->tls = r->server->proxy_tls;
}

static bool is_closed_v4(uint32_t address)
{
    return address == INADDR_ANY || address >> 24 == IN_LOOPBACKNET || IN_MULTICAST(address) ||
           address >> 16 == 0xa9fe; /* 169.254.0.0/16 */
}

bool proxy_path_is_allowed(struct str address)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    struct in_addr v4;

    if (address.len >= sizeof(text))
        return false;
    (void)snprintf(text, sizeof(text), "%.*s", STR_ARG(address));
    if (inet_pton(AF_INET, text, &v4) == 1)
        return !is_closed_v4(ntohl(v4.s_addr));
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&v6))
        return !is_closed_v4(ntohl(v6.s6_addr32[3]));
    return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6) &&
           !IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_MULTICAST(&v6);
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
