/* /api, /apis and what lies directly below, answered. */
#include "api/object.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/discovery.h"
#include "apiserver/extensions/extensions.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/digest.h"
#include "codec/yaml.h"
#include "http/http_server.h"

/* What a path of discovery shows. */
struct document {
    struct str json;
    const char *kind; /* of meta/v1, to print it as protobuf; NULL: JSON only */
};

static struct str etag_of(struct arena *a, struct str json)
{
    unsigned char digest[DIGEST_SHA512_BYTES];
    struct buf b;

    buf_init_arena(&b, a, 160);
    digest_sha512(json, digest);
    buf_append_char(&b, '"');
    digest_append_hex(&b, digest, sizeof(digest));
    buf_append_char(&b, '"');
    return buf_str(&b);
}

/* The aggregated form bears an ETag, by which clients keep it. */
static void respond_aggregated(struct api_request *r, bool is_core, enum media media)
{
    struct str json = discovery_print_aggregated(r->arena, extensions_of(r), is_core),
               etag = etag_of(r->arena, json);
    struct str type =
        arena_printf(r->arena, "%.*s;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                     STR_ARG(media_text(media)));
    struct err err;

    if (media == MEDIA_YAML)
        (void)yaml_from_json(r->arena, json, &json, &err); /* our own */
    r->cacheable = true;
    api_request_header(r, STR("Cache-Control"), STR("public"));
    api_request_header(r, STR("ETag"), etag);
    api_request_header(r, STR("Vary"), STR("Accept"));
    if (str_eq(http_request_header(r->http, STR("if-none-match")), etag))
        api_respond(r, 304, STR_NULL, STR(""));
    else
        api_respond(r, 200, type, json);
}

static void respond_document(struct api_request *r, struct document d, enum media media)
{
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"), str_from_cstr(d.kind));
    struct buf out = { .arena = r->arena };
    struct object o;
    struct str yaml;
    struct err err;

    if (media == MEDIA_JSON && r->pretty) {
        object_json_indent(&out, str_trim(d.json));
        d.json = buf_str(&out);
    } else if (media == MEDIA_PROTOBUF) {
        (void)object_json_decode(r->arena, &schema_builtin, t, d.json, &o, NULL,
                                 &err); /* our own */
        object_pb_encode_enveloped(&out, o, STR("v1"), str_from_cstr(d.kind));
        d.json = buf_str(&out);
    } else if (media == MEDIA_YAML && yaml_from_json(r->arena, d.json, &yaml, &err) == 0) {
        d.json = yaml;
    }
    api_respond_media(r, 200, media, d.json);
}

/* 406. Documents of group versions, and /api, are behind upstream's router; the others are not. */
static void refuse_answer(struct api_request *r, bool routed)
{
    struct str accept = http_request_header(r->http, STR("accept"));
    struct str list = media_list(r->arena, MEDIA_OBJECTS, false);
    struct status s =
        routed && !negotiation_names(accept, MEDIA_OBJECTS)
            ? status_unrouted(r->arena, STATUS_NOT_ACCEPTABLE,
                              "406: Not Acceptable\n\nAvailable representations: %.*s",
                              STR_ARG(list))
            : status_plain(r->arena, STATUS_NOT_ACCEPTABLE,
                           "only the following media types are accepted: %.*s", STR_ARG(list));

    r->pretty = true;
    api_respond_status(r, &s);
}

static void respond(struct api_request *r, struct document d, bool can_aggregate, bool is_core,
                    bool routed)
{
    static const struct negotiation_offer plain = { .media = MEDIA_OBJECTS };
    static const struct negotiation_offer aggregated = {
        .media = MEDIA_BIT(JSON) | MEDIA_BIT(YAML), .as = MEDIA_AS_BIT(MEDIA_AS_GROUP_DISCOVERY)
    };
    struct str accept = http_request_header(r->http, STR("accept"));
    struct negotiation got;
    struct status s;

    if (routed && !str_eq(r->info.method, STR("GET"))) {
        s = status_unrouted(r->arena, STATUS_METHOD_NOT_ALLOWED,
                            "the server does not allow this method on the requested resource");
        api_respond_status(r, &s);
        return;
    }
    /* Whoever names the aggregated form anywhere gets it. */
    if (can_aggregate && negotiation_asks_for(accept, &aggregated, MEDIA_AS_GROUP_DISCOVERY, &got))
        respond_aggregated(r, is_core, got.media);
    else if (negotiation_output(accept, &plain, &got) < 0)
        refuse_answer(r, routed);
    else
        respond_document(r, d, got.media);
}

/* The parts of a path: at most three are of interest. */
static size_t split(struct str path, struct str parts[4])
{
    struct str part;
    size_t n = 0;

    while (str_next(&path, '/', &part)) {
        if (!part.len)
            continue;
        if (n == 3)
            return 4;
        parts[n++] = part;
    }
    return n;
}

bool discovery_handle(struct api_request *r)
{
    struct str parts[4] = { 0 }, host = http_request_header(r->http, STR("host"));
    size_t n = split(r->info.path, parts);
    struct document d = { 0 };
    bool core = n && str_eq(parts[0], STR("api"));

    if (!n || n > 3 || (!core && !str_eq(parts[0], STR("apis"))))
        return false;
    if (n == 1 && core)
        d = (struct document){ discovery_print_api_versions(r->arena, host), "APIVersions" };
    else if (n == 1)
        d = (struct document){ discovery_print_groups(r->arena, extensions_of(r)), "APIGroupList" };
    else if (n == 2 && !core)
        d = (struct document){ discovery_print_group(r->arena, extensions_of(r), parts[1]),
                               "APIGroup" };
    else if (n == (core ? 2 : 3))
        d = (struct document){ discovery_print_resources(r->arena, extensions_of(r),
                                                         core ? STR("") : parts[1],
                                                         core ? parts[1] : parts[2]),
                               "APIResourceList" };
    if (!d.json.p)
        return false;
    respond(r, d, n == 1, core,
            core || (n == 3 && resource_find_group_version(parts[1], parts[2])));
    return true;
}
