#include "runtime/image/registries.h"

#include <fcntl.h>

#include "base/arena.h"
#include "base/err.h"
#include "codec/value.h"
#include "codec/yaml.h"
#include "runtime/runtime_files.h"

enum { FILE_MAX_BYTES = 1 << 20 };

/* As other runtimes have it: nobody has a certificate for a loopback address. */
static bool is_loopback(struct str registry)
{
    ptrdiff_t colon = str_rfind(registry, ':');
    struct str host = colon < 0 || str_has_suffix(registry, STR("]"))
                          ? registry
                          : str_sub(registry, 0, (size_t)colon);

    return str_eq(host, STR("localhost")) || str_eq(host, STR("[::1]")) ||
           str_has_prefix(host, STR("127."));
}

static void defaults(struct arena *a, struct str registry, struct registry_place *ret)
{
    *ret = (struct registry_place){ 0 };
    if (str_eq(registry, STR("docker.io")))
        ret->base = STR("https://registry-1.docker.io");
    else
        ret->base = arena_printf(a, "%s://%.*s", is_loopback(registry) ? "http" : "https",
                                 STR_ARG(registry));
}

static bool is_base(struct str s)
{
    struct str host = str_has_prefix(s, STR("https://"))  ? str_tail(s, 8)
                      : str_has_prefix(s, STR("http://")) ? str_tail(s, 7)
                                                          : STR_NULL;

    for (size_t i = 0; i < host.len; i++)
        if (host.p[i] <= ' ' || host.p[i] > '~' || strchr("/@?#\\", host.p[i]))
            return false;
    return host.len > 0 && host.len < 300;
}

static int read_entry(struct arena *a, const struct value *v, struct registry_place *ret,
                      struct err *err)
{
    static const char *const known[] = { "name",     "endpoint", "caFile",
                                         "username", "password", "skipVerify" };
    struct str endpoint = value_get_str(v, STR("endpoint"));
    const struct value *skip = value_get(v, STR("skipVerify"));

    for (uint32_t i = 0; i < v->len; i++) {
        bool found = false;

        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
            found |= str_eq(v->members[i].key, str_from_cstr(known[k]));
        if (!found)
            return err_set(err, ERR_INVALID, "unknown field '%.*s'",
                           STR_ARG(str_sub(v->members[i].key, 0, 64)));
    }
    if (str_has_suffix(endpoint, STR("/")))
        endpoint = str_sub(endpoint, 0, endpoint.len - 1);
    if (value_get(v, STR("endpoint")) && !is_base(endpoint))
        return err_set(err, ERR_INVALID, "endpoint must be http://HOST[:PORT] or https://...");
    if (endpoint.len)
        ret->base = str_dup(a, endpoint);
    ret->ca_file = value_get_str(v, STR("caFile"));
    ret->username = value_get_str(v, STR("username"));
    ret->password = value_get_str(v, STR("password"));
    ret->skip_verify = skip && skip->type == VALUE_BOOL && skip->b;
    ret->is_named = true;
    return 0;
}

int registries_parse(struct arena *a, struct str text, struct str registry,
                     struct registry_place *ret, struct err *err)
{
    const struct value *list;
    struct str json;
    struct value v = { 0 };
    int r;

    defaults(a, registry, ret);
    r = yaml_to_json(a, text, true, FILE_MAX_BYTES, &json, err);
    if (r == 0)
        r = value_parse(a, json, &v, NULL, err);
    if (r < 0)
        return r;
    list = value_get(&v, STR("registries"));
    if (v.type == VALUE_NULL)
        return 0;
    if (!list || list->type != VALUE_ARRAY || v.len != 1)
        return err_set(err, ERR_INVALID, "no list 'registries', or something beside it");
    for (uint32_t i = 0; r == 0 && i < list->len; i++) {
        struct str name = value_get_str(&list->items[i], STR("name"));

        if (!name.len)
            return err_set(err, ERR_INVALID, "registries[%u]: no name", i);
        if (!str_eq(name, registry))
            continue;
        r = read_entry(a, &list->items[i], ret, err);
        if (r < 0)
            return err_wrap(err, "registries[%u]", i);
    }
    return r;
}

int registries_find(struct arena *a, const char *file, struct str registry,
                    struct registry_place *ret, struct err *err)
{
    struct str text;
    int r;

    defaults(a, registry, ret);
    if (!file || !file[0])
        return 0;
    r = runtime_files_read(a, AT_FDCWD, file, FILE_MAX_BYTES, &text, err);
    if (r == 0)
        r = registries_parse(a, text, registry, ret, err);
    return r < 0 ? err_wrap(err, "registries file '%s'", file) : 0;
}
