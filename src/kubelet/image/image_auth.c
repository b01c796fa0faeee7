/* A key of "auths" is a registry, perhaps with a scheme, a port, a path, and with '*' for parts of
 * its host: "https://index.docker.io/v1/", "*.example.com:5000/team". */
#include "kubelet/image/image_auth.h"

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/base64.h"
#include "codec/value.h"
#include "runtime/image_reference.h"

struct found {
    struct str key; /* longer ones are more particular */
    struct runtime_auth auth;
};

struct search {
    struct arena *arena;
    struct str host, path; /* of the image: "quay.io:443", "a/b" */
    struct found found[IMAGE_AUTH_MAX];
    size_t n;
};

/* '*' is any bytes of one part of a name. A later star takes over from an earlier one, so that the
 * work is bounded by both lengths. */
static bool glob(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.p[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.len && pattern.p[p] == text.p[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.p[p] == '*')
        p++;
    return p == pattern.len;
}

static bool host_matches(struct str pattern, struct str host)
{
    struct str p_port, h_port, p_part, h_part;

    (void)str_cut(pattern, ':', &pattern, &p_port);
    (void)str_cut(host, ':', &host, &h_port);
    if (p_port.len && !str_eq(p_port, h_port))
        return false;
    if (!p_port.len && h_port.len)
        return false;
    for (;;) {
        bool p_more = str_next(&pattern, '.', &p_part), h_more = str_next(&host, '.', &h_part);

        if (p_more != h_more || !p_more)
            return p_more == h_more;
        if (!glob(p_part, h_part))
            return false;
    }
}

/* "https://host/v1/" -> host and path. */
static void split_key(struct str key, struct str *ret_host, struct str *ret_path)
{
    static const struct str schemes[] = { STR_INIT("https://"), STR_INIT("http://") };

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_has_prefix(key, schemes[i]))
            key = str_tail(key, schemes[i].len);
    (void)str_cut(key, '/', ret_host, ret_path);
    while (ret_path->len && ret_path->p[ret_path->len - 1] == '/')
        ret_path->len--;
    if (str_eq(*ret_path, STR("v1")) || str_eq(*ret_path, STR("v2")))
        *ret_path = STR_NULL;
    if (str_eq(*ret_host, STR("index.docker.io")) || str_eq(*ret_host, STR("registry-1.docker.io")))
        *ret_host = STR("docker.io");
}

static bool path_matches(struct str prefix, struct str path)
{
    return !prefix.len ||
           (str_has_prefix(path, prefix) && (path.len == prefix.len || path.p[prefix.len] == '/'));
}

static void take(struct search *s, struct str key, const struct value *v)
{
    struct str host, path, text;
    struct runtime_auth auth = { .username = value_get_str(v, STR("username")),
                                 .password = value_get_str(v, STR("password")),
                                 .identity_token = value_get_str(v, STR("identitytoken")),
                                 .registry_token = value_get_str(v, STR("registrytoken")) };
    struct str encoded = value_get_str(v, STR("auth"));
    size_t bad;

    split_key(key, &host, &path);
    if (s->n == IMAGE_AUTH_MAX || !host_matches(host, s->host) || !path_matches(path, s->path))
        return;
    if (encoded.len && base64_decode(s->arena, str_trim(encoded), &text, &bad))
        (void)str_cut(text, ':', &auth.username, &auth.password);
    if (!auth.username.len && !auth.identity_token.len && !auth.registry_token.len)
        return;
    s->found[s->n++] = (struct found){ key, auth };
}

static void read_config(struct search *s, const struct image_auth_config *c)
{
    struct value root;
    const struct value *auths = &root;
    struct err err;

    if (c->text.len > IMAGE_AUTH_MAX_BYTES || value_parse(s->arena, c->text, &root, NULL, &err) < 0)
        return;
    if (!c->is_legacy)
        auths = value_get(&root, STR("auths"));
    if (!auths || auths->type != VALUE_OBJECT)
        return;
    for (uint32_t i = 0; i < auths->len; i++)
        if (auths->members[i].v.type == VALUE_OBJECT)
            take(s, auths->members[i].key, &auths->members[i].v);
}

size_t image_auth_find(struct arena *a, const struct image_auth_config *configs, size_t n_configs,
                       struct str image, struct runtime_auth *ret, size_t max)
{
    struct search *s = ARENA_NEW(a, struct search);
    struct image_reference r;
    struct err err;
    size_t n = 0;

    if (image_reference_parse(a, image, &r, &err) < 0)
        return 0;
    s->arena = a;
    s->host = r.registry;
    s->path = r.repository;
    for (size_t i = 0; i < n_configs; i++)
        read_config(s, &configs[i]);
    while (n < MIN(max, s->n)) { /* few: the longest that is left */
        struct found *best = NULL;

        for (size_t i = 0; i < s->n; i++)
            if (s->found[i].key.p && (!best || s->found[i].key.len > best->key.len))
                best = &s->found[i];
        if (!best)
            break;
        ret[n++] = best->auth;
        best->key = STR_NULL;
    }
    return n;
}
