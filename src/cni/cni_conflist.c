#include "cni/cni_conflist.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_writer.h"

enum { CONFLIST_MAX_BYTES = 1024 * 1024 };

DEFINE_CLEANUP(DIR *, closedir);

static int read_plugin(const struct value *v, struct cni_conflist *list, struct err *err)
{
    struct cni_conflist_plugin *p = &list->plugins[list->n_plugins];
    const struct value *capabilities = value_get(v, STR("capabilities")), *ports;

    if (v->type != VALUE_OBJECT)
        return err_set(err, ERR_INVALID, "plugin %zu is no object", list->n_plugins);
    p->type = value_get_str(v, STR("type"));
    if (p->type.len == 0 || p->type.len > 255 || str_find(p->type, '/') >= 0 ||
        memchr(p->type.p, 0, p->type.len) || str_eq(p->type, STR("..")))
        return err_set(err, ERR_INVALID, "plugin %zu: 'type' is no program's name",
                       list->n_plugins);
    ports = capabilities ? value_get(capabilities, STR("portMappings")) : NULL;
    p->wants_port_mappings = ports && ports->type == VALUE_BOOL && ports->b;
    p->config = *v;
    list->n_plugins++;
    return 0;
}

int cni_conflist_parse(struct arena *a, struct str text, struct cni_conflist *ret, struct err *err)
{
    struct cni_conflist list = { 0 };
    const struct value *plugins;
    struct value v;
    int r = value_parse(a, text, &v, NULL, err);

    if (r < 0)
        return r;
    if (v.type != VALUE_OBJECT)
        return err_set(err, ERR_INVALID, "a network configuration is an object");
    list.name = value_get_str(&v, STR("name"));
    list.version = value_get_str(&v, STR("cniVersion"));
    if (list.name.len == 0 || list.name.len > 255 || str_find(list.name, '/') >= 0)
        return err_set(err, ERR_INVALID, "a network configuration without a usable 'name'");
    plugins = value_get(&v, STR("plugins"));
    if (!plugins)
        r = read_plugin(&v, &list, err);
    else if (plugins->type != VALUE_ARRAY || plugins->len == 0 ||
             plugins->len > CNI_CONFLIST_MAX_PLUGINS)
        return err_set(err, ERR_INVALID, "'plugins' is a list of 1 to %d",
                       CNI_CONFLIST_MAX_PLUGINS);
    else
        for (uint32_t i = 0; r == 0 && i < plugins->len; i++)
            r = read_plugin(&plugins->items[i], &list, err);
    if (r < 0)
        return r;
    *ret = list;
    return 0;
}

/* Is b's name before a's among files that are configurations? */
static bool is_better(const char *a, const char *name)
{
    struct str s = str_from_cstr(name);

    if (!str_has_suffix(s, STR(".conflist")) && !str_has_suffix(s, STR(".conf")) &&
        !str_has_suffix(s, STR(".json")))
        return false;
    return !a[0] || strcmp(name, a) < 0;
}

static int load_file(struct arena *a, int dir, const char *name, struct str *ret, struct err *err)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    char *p;

    if (fd < 0)
        return err_errno(err, errno, "open '%s'", name);
    p = arena_alloc(a, CONFLIST_MAX_BYTES, 1);
    while (len < CONFLIST_MAX_BYTES) {
        ssize_t n = read(fd, p + len, CONFLIST_MAX_BYTES - len);

        if (n < 0) {
            int r = err_errno(err, errno, "read '%s'", name);

            (void)close(fd);
            return r;
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    (void)close(fd);
    if (len == CONFLIST_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "'%s' is too large", name);
    *ret = str_n(p, len);
    return 0;
}

int cni_conflist_load(struct arena *a, const char *directory, struct cni_conflist *ret,
                      struct err *err)
{
    CLEANUP(closedir) DIR *d = opendir(directory);
    const struct dirent *e;
    char name[256] = "";
    struct str text;
    int r;

    if (!d && errno != ENOENT)
        return err_errno(err, errno, "open '%s'", directory);
    while (d && (e = readdir(d)))
        if (is_better(name, e->d_name))
            (void)snprintf(name, sizeof(name), "%s", e->d_name);
    if (!name[0])
        return err_set(err, ERR_NOT_FOUND, "no network configuration in '%s'", directory);
    r = load_file(a, dirfd(d), name, &text, err);
    if (r == 0)
        r = cni_conflist_parse(a, text, ret, err);
    return r < 0 ? err_wrap(err, "'%s/%s'", directory, name) : 0;
}

static void print_raw(struct buf *b, const char *key, struct str json)
{
    if (json.len)
        buf_printf(b, ",\"%s\":%.*s", key, STR_ARG(json));
}

void cni_conflist_print(struct arena *a, const struct cni_conflist *list, size_t i,
                        struct str previous, struct str ports, struct buf *b)
{
    const struct cni_conflist_plugin *p = &list->plugins[i];
    struct value config = value_copy(a, &p->config);

    value_set(a, &config, STR("name"), value_string(list->name));
    value_set(a, &config, STR("cniVersion"), value_string(list->version));
    (void)value_remove(&config, STR("prevResult"));
    if (ports.len && p->wants_port_mappings)
        (void)value_remove(&config, STR("runtimeConfig"));
    value_print(b, &config);
    b->len--; /* the closing brace comes after what is JSON already */
    print_raw(b, "prevResult", previous);
    if (p->wants_port_mappings && ports.len)
        buf_printf(b, ",\"runtimeConfig\":{\"portMappings\":%.*s}", STR_ARG(ports));
    buf_append_char(b, '}');
}
