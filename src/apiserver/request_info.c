#include "apiserver/request_info.h"

#include "base/arena.h"
#include "base/err.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Text without escapes is returned as it is. plus: '+' stands for a space (queries). */
static int percent_decode(struct arena *a, struct str in, bool plus, struct str *ret,
                          struct err *err)
{
    size_t n = 0;
    char *out;

    if (str_find(in, '%') < 0 && (!plus || str_find(in, '+') < 0)) {
        *ret = in;
        return 0;
    }
    out = arena_alloc(a, in.len + 1, 1);
    for (size_t i = 0; i < in.len; i++) {
        int c = (unsigned char)in.p[i];

        if (c == '%') {
            int hi = in.len - i > 2 ? hex_digit(in.p[i + 1]) : -1;
            int lo = in.len - i > 2 ? hex_digit(in.p[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return err_set(err, ERR_INVALID, "invalid URL escape \"%.*s\"",
                               (int)MIN(in.len - i, (size_t)3), in.p + i);
            c = hi * 16 + lo;
            if (c == 0)
                return err_set(err, ERR_INVALID, "invalid URL escape \"%%00\"");
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    *ret = str_n(out, n);
    return 0;
}

static int parse_query(struct arena *a, struct str query, struct request_info *ret, struct err *err)
{
    struct request_param params[REQUEST_INFO_MAX_PARAMS];
    struct str part;
    size_t n = 0;
    int r;

    while (str_next(&query, '&', &part)) {
        struct str name, value;

        if (!part.len)
            continue;
        if (n == REQUEST_INFO_MAX_PARAMS)
            return err_set(err, ERR_INVALID, "too many query parameters: at most %d",
                           REQUEST_INFO_MAX_PARAMS);
        if (!str_cut(part, '=', &name, &value))
            value = STR("");
        r = percent_decode(a, name, true, &params[n].name, err);
        if (r < 0)
            return r;
        r = percent_decode(a, value, true, &params[n].value, err);
        if (r < 0)
            return r;
        if (!params[n].value.p)
            params[n].value = STR("");
        n++;
    }
    ret->params = arena_dup(a, params, n * sizeof(params[0]));
    ret->n_params = n;
    return 0;
}

/* Splits at '/', empty parts left out, each part decoded. */
static int split_path(struct arena *a, struct str path, struct str *parts, size_t *ret_n,
                      struct err *err)
{
    struct str part;
    size_t n = 0;
    int r;

    while (str_next(&path, '/', &part)) {
        if (!part.len)
            continue;
        if (n == REQUEST_INFO_MAX_PARTS)
            return err_set(err, ERR_INVALID, "path has too many segments");
        r = percent_decode(a, part, false, &parts[n], err);
        if (r < 0)
            return r;
        n++;
    }
    *ret_n = n;
    return 0;
}

static const struct {
    struct str method;
    enum request_verb one, many;
} verbs[] = {
    { STR_INIT("GET"), REQUEST_VERB_GET, REQUEST_VERB_LIST },
    { STR_INIT("HEAD"), REQUEST_VERB_GET, REQUEST_VERB_LIST },
    { STR_INIT("POST"), REQUEST_VERB_CREATE, REQUEST_VERB_CREATE },
    { STR_INIT("PUT"), REQUEST_VERB_UPDATE, REQUEST_VERB_UPDATE },
    { STR_INIT("PATCH"), REQUEST_VERB_PATCH, REQUEST_VERB_PATCH },
    { STR_INIT("DELETE"), REQUEST_VERB_DELETE, REQUEST_VERB_DELETECOLLECTION },
};

static const struct str verb_texts[REQUEST_VERB_MAX] = {
    [REQUEST_VERB_GET] = STR_INIT("get"),
    [REQUEST_VERB_LIST] = STR_INIT("list"),
    [REQUEST_VERB_WATCH] = STR_INIT("watch"),
    [REQUEST_VERB_CREATE] = STR_INIT("create"),
    [REQUEST_VERB_UPDATE] = STR_INIT("update"),
    [REQUEST_VERB_PATCH] = STR_INIT("patch"),
    [REQUEST_VERB_DELETE] = STR_INIT("delete"),
    [REQUEST_VERB_DELETECOLLECTION] = STR_INIT("deletecollection"),
};

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_dup(a, s.p, s.len);

    for (size_t i = 0; i < s.len; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] + 32);
    return str_n(p, s.len);
}

/* The verb of a request for a resource; OTHER for methods that mean nothing on one. */
static enum request_verb verb_of(const struct request_info *info)
{
    enum request_verb verb = REQUEST_VERB_OTHER;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (str_eq(verbs[i].method, info->method))
            verb = info->name.len ? verbs[i].one : verbs[i].many;
    if (verb == REQUEST_VERB_LIST && request_info_bool(info, STR("watch")))
        verb = REQUEST_VERB_WATCH;
    return verb;
}

/* The parts after the version: [watch/] [namespaces/NS/] RESOURCE [NAME [SUBRESOURCE [REST]]]. */
static void parse_resource(struct arena *a, struct str *parts, size_t n, struct request_info *ret)
{
    bool old_watch = n && str_eq(parts[0], STR("watch"));

    if (old_watch) {
        parts++;
        n--;
    }
    if (!n)
        return;
    if (str_eq(parts[0], STR("namespaces")) && n > 2 && !str_eq(parts[2], STR("status")) &&
        !str_eq(parts[2], STR("finalize"))) {
        ret->namespace = parts[1];
        parts += 2;
        n -= 2;
    } else if (str_eq(parts[0], STR("namespaces")) && n > 1) {
        ret->namespace = parts[1]; /* a namespace is in itself, for authorization */
    }
    ret->is_resource = true;
    ret->resource = parts[0];
    ret->name = n > 1 ? parts[1] : STR("");
    ret->subresource = n > 2 ? parts[2] : STR("");
    for (size_t i = 3; i < n; i++)
        ret->rest = arena_printf(a, "%.*s/%.*s", STR_ARG(ret->rest), STR_ARG(parts[i]));
    ret->verb = verb_of(ret);
    if (old_watch && (ret->verb == REQUEST_VERB_GET || ret->verb == REQUEST_VERB_LIST))
        ret->verb = REQUEST_VERB_WATCH;
    if (ret->verb != REQUEST_VERB_OTHER)
        ret->verb_text = verb_texts[ret->verb];
}

int request_info_parse(struct arena *a, struct str method, struct str path, struct str query,
                       struct request_info *ret, struct err *err)
{
    struct str parts[REQUEST_INFO_MAX_PARTS];
    struct request_info info = { .method = method };
    size_t n = 0;
    int r;

    info.group = info.version = info.namespace = STR("");
    info.resource = info.name = info.subresource = info.rest = STR("");
    info.api_prefix = STR("");
    r = percent_decode(a, path, false, &info.path, err);
    if (r < 0)
        return r;
    r = parse_query(a, query, &info, err);
    if (r < 0)
        return r;
    r = split_path(a, path, parts, &n, err);
    if (r < 0)
        return r;
    info.verb_text = lower(a, method);
    if (n && (str_eq(parts[0], STR("api")) || str_eq(parts[0], STR("apis")))) {
        size_t at = parts[0].len == 3 ? 1 : 2; /* where the version stands */

        info.api_prefix = parts[0];
        if (at == 2 && n > 1)
            info.group = parts[1];
        if (n > at)
            info.version = parts[at];
        if (n > at + 1)
            parse_resource(a, parts + at + 1, n - at - 1, &info);
    }
    *ret = info;
    return 0;
}

struct str request_info_param(const struct request_info *info, struct str name)
{
    for (size_t i = 0; i < info->n_params; i++)
        if (str_eq(info->params[i].name, name))
            return info->params[i].value;
    return STR_NULL;
}

bool request_info_bool(const struct request_info *info, struct str name)
{
    struct str v = request_info_param(info, name);

    return v.p && !str_eq_nocase(v, STR("false")) && !str_eq(v, STR("0"));
}

bool request_info_is_true(struct str value)
{
    static const struct str texts[] = { STR_INIT("1"),    STR_INIT("t"),    STR_INIT("T"),
                                        STR_INIT("true"), STR_INIT("TRUE"), STR_INIT("True") };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (str_eq(value, texts[i]))
            return true;
    return false;
}

/* Digits enough, but too many of them. */
static bool is_integer(struct str v)
{
    size_t i = v.len && (v.p[0] == '-' || v.p[0] == '+') ? 1 : 0, begin = i;

    for (; i < v.len; i++)
        if (v.p[i] < '0' || v.p[i] > '9')
            return false;
    return i > begin;
}

int request_info_int(const struct request_info *info, struct str name, int64_t *ret,
                     struct err *err)
{
    struct str v = request_info_param(info, name);

    if (!v.p)
        return 0;
    if (!str_to_i64(v, ret))
        return err_set(err, ERR_INVALID, "strconv.ParseInt: parsing \"%.*s\": %s",
                       (int)MIN(v.len, (size_t)100), v.p,
                       is_integer(v) ? "value out of range" : "invalid syntax");
    return 1;
}
