#include "runtime/image_reference.h"

#include "base/arena.h"
#include "base/err.h"

enum { REFERENCE_MAX_BYTES = 1024, REPOSITORY_MAX_BYTES = 255, TAG_MAX_BYTES = 128 };

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
    return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool image_digest_is_valid(struct str digest)
{
    if (digest.len != 7 + 64 || !str_has_prefix(digest, STR("sha256:")))
        return false;
    for (size_t i = 7; i < digest.len; i++)
        if (!(digest.p[i] >= '0' && digest.p[i] <= '9') &&
            !(digest.p[i] >= 'a' && digest.p[i] <= 'f'))
            return false;
    return true;
}

/* Path components of lower-case letters and digits, joined inside by '.', '_', '__' or dashes. */
static bool is_repository(struct str s)
{
    struct str part;

    if (s.len == 0 || s.len > REPOSITORY_MAX_BYTES)
        return false;
    while (str_next(&s, '/', &part)) {
        if (part.len == 0 || !is_lower_or_digit(part.p[0]) ||
            !is_lower_or_digit(part.p[part.len - 1]))
            return false;
        for (size_t i = 0; i < part.len; i++)
            if (!is_lower_or_digit(part.p[i]) && part.p[i] != '.' && part.p[i] != '_' &&
                part.p[i] != '-')
                return false;
    }
    return true;
}

static bool is_tag(struct str s)
{
    if (s.len == 0 || s.len > TAG_MAX_BYTES || !is_word(s.p[0]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_word(s.p[i]) && s.p[i] != '.' && s.p[i] != '-')
            return false;
    return true;
}

static bool is_registry(struct str s)
{
    if (s.len == 0 || s.len > 255 || s.p[0] == '.' || s.p[0] == '-' || s.p[0] == ':')
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_word(s.p[i]) && s.p[i] != '.' && s.p[i] != '-' && s.p[i] != ':' && s.p[i] != '[' &&
            s.p[i] != ']')
            return false;
    return true;
}

/* The first component is a registry when it looks like a host. */
static bool looks_like_host(struct str s)
{
    return str_find(s, '.') >= 0 || str_find(s, ':') >= 0 || str_eq(s, STR("localhost"));
}

int image_reference_parse(struct arena *a, struct str text, struct image_reference *ret,
                          struct err *err)
{
    struct image_reference r = { .registry = STR("docker.io") };
    struct str rest = text, head, tail;
    ptrdiff_t colon;

    if (text.len == 0 || text.len > REFERENCE_MAX_BYTES)
        return err_set(err, ERR_INVALID,
                       "couldn't parse image name \"%.*s\": invalid reference format",
                       STR_ARG(str_sub(text, 0, 128)));
    if (str_cut(rest, '@', &rest, &tail))
        r.digest = tail;
    if (str_cut(rest, '/', &head, &tail) && looks_like_host(head)) {
        r.registry = str_eq(head, STR("index.docker.io")) ? STR("docker.io") : head;
        rest = tail;
    }
    colon = str_rfind(rest, ':');
    if (colon >= 0) {
        r.tag = str_tail(rest, (size_t)colon + 1);
        rest = str_sub(rest, 0, (size_t)colon);
    } else if (!r.digest.len) {
        r.tag = STR("latest");
    }
    r.repository = rest;
    if (!is_registry(r.registry) || !is_repository(rest) || (colon >= 0 && !is_tag(r.tag)) ||
        (r.digest.p && !image_digest_is_valid(r.digest)))
        return err_set(err, ERR_INVALID,
                       "couldn't parse image name \"%.*s\": invalid reference format",
                       STR_ARG(str_sub(text, 0, 256)));
    r.repository = str_eq(r.registry, STR("docker.io")) && str_find(rest, '/') < 0
                       ? arena_printf(a, "library/%.*s", STR_ARG(rest))
                       : str_dup(a, rest);
    r.registry = str_dup(a, r.registry);
    r.tag = r.tag.len ? str_dup(a, r.tag) : STR_NULL;
    r.digest = r.digest.len ? str_dup(a, r.digest) : STR_NULL;
    *ret = r;
    return 0;
}

struct str image_reference_tagged(struct arena *a, const struct image_reference *r)
{
    return arena_printf(a, "%.*s/%.*s:%.*s", STR_ARG(r->registry), STR_ARG(r->repository),
                        STR_ARG(r->tag));
}

struct str image_reference_digested(struct arena *a, const struct image_reference *r,
                                    struct str digest)
{
    return arena_printf(a, "%.*s/%.*s@%.*s", STR_ARG(r->registry), STR_ARG(r->repository),
                        STR_ARG(digest));
}
