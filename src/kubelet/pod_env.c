#include "kubelet/pod_env.h"

#include <ctype.h>

#include "api/core_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "kubelet/object_cache.h"
#include "kubelet/pod_field.h"

/* Names and values in the order in which they were first set; setting again replaces. */
struct env {
    struct arena *arena;
    struct VEC(struct runtime_key_value) items;
};

static struct runtime_key_value *env_find(const struct env *e, struct str name)
{
    VEC_FOREACH(struct runtime_key_value *, kv, &e->items)
        if (str_eq(kv->key, name))
            return kv;
    return NULL;
}

static void env_set(struct env *e, struct str name, struct str value)
{
    struct runtime_key_value *kv = env_find(e, name);

    if (kv)
        kv->value = value;
    else
        VEC_PUSH(&e->items, (struct runtime_key_value){ name, value });
}

static struct runtime_map env_map(const struct env *e)
{
    return (struct runtime_map){ e->items.items, e->items.len };
}

/* --- $(NAME) --- */

/* Looked up in each map in turn. */
struct mapping {
    struct runtime_map maps[2];
};

static const struct str *value_of(const struct mapping *m, struct str name)
{
    for (size_t k = 0; k < ARRAY_LEN(m->maps); k++)
        for (size_t i = m->maps[k].len; i > 0; i--)
            if (str_eq(m->maps[k].items[i - 1].key, name))
                return &m->maps[k].items[i - 1].value;
    return NULL;
}

/* One reference at the start of rest, which begins with '$' and has more: what it stands for goes
 * to b; how many bytes it took. */
static size_t expand_one(struct buf *b, struct str rest, const struct mapping *m)
{
    const struct str *value;
    ptrdiff_t end;

    if (rest.p[1] == '$') {
        buf_append_char(b, '$');
        return 2;
    }
    end = rest.p[1] == '(' ? str_find(rest, ')') : -1;
    if (end < 0) {
        buf_append(b, rest.p, 2);
        return 2;
    }
    value = value_of(m, str_sub(rest, 2, (size_t)end));
    buf_append_str(b, value ? *value : str_sub(rest, 0, (size_t)end + 1));
    return (size_t)end + 1;
}

static struct str expand(struct arena *a, struct str text, const struct mapping *m)
{
    struct buf b;

    if (str_find(text, '$') < 0)
        return text;
    buf_init_arena(&b, a, text.len + 64);
    for (size_t i = 0; i < text.len;) {
        if (text.p[i] == '$' && i + 1 < text.len)
            i += expand_one(&b, str_tail(text, i), m);
        else
            buf_append_char(&b, text.p[i++]);
    }
    return buf_str(&b);
}

struct str pod_env_expand(struct arena *a, struct str text, const struct runtime_map *env)
{
    return expand(a, text, &(struct mapping){ .maps = { *env } });
}

/* --- Services, as Docker's links had them --- */

static struct str variable_name(struct arena *a, struct str text)
{
    char *p = arena_alloc(a, text.len + 1, 1);

    for (size_t i = 0; i < text.len; i++)
        p[i] = text.p[i] == '-' ? '_' : (char)toupper((unsigned char)text.p[i]);
    p[text.len] = '\0';
    return str_n(p, text.len);
}

static void set_service_port(struct env *e, struct str name, struct str ip,
                             const struct core_v1_service_port *port)
{
    struct arena *a = e->arena;
    struct str protocol = variable_name(a, port->protocol.len ? port->protocol : STR("TCP"));
    struct str number = arena_printf(a, "%d", port->port);
    struct str prefix =
        arena_printf(a, "%.*s_PORT_%.*s_%.*s", STR_ARG(name), STR_ARG(number), STR_ARG(protocol));
    char *lower = arena_dup(a, protocol.p, protocol.len + 1);
    struct str text = str_n(lower, protocol.len), url;

    for (size_t i = 0; i < protocol.len; i++)
        lower[i] = (char)tolower((unsigned char)lower[i]);
    url = arena_printf(a, str_find(ip, ':') < 0 ? "%.*s://%.*s:%.*s" : "%.*s://[%.*s]:%.*s",
                       STR_ARG(text), STR_ARG(ip), STR_ARG(number));
    if (!env_find(e, arena_printf(a, "%.*s_PORT", STR_ARG(name))))
        env_set(e, arena_printf(a, "%.*s_PORT", STR_ARG(name)), url);
    env_set(e, prefix, url);
    env_set(e, arena_printf(a, "%.*s_PROTO", STR_ARG(prefix)), text);
    env_set(e, arena_printf(a, "%.*s_PORT", STR_ARG(prefix)), number);
    env_set(e, arena_printf(a, "%.*s_ADDR", STR_ARG(prefix)), ip);
}

static void set_service(struct env *e, const struct core_v1_service *s)
{
    struct arena *a = e->arena;
    struct str name = variable_name(a, s->metadata.name), ip = s->spec.cluster_ip;

    if (!ip.len || str_eq(ip, STR("None")) || !s->spec.ports.len)
        return;
    env_set(e, arena_printf(a, "%.*s_SERVICE_HOST", STR_ARG(name)), ip);
    env_set(e, arena_printf(a, "%.*s_SERVICE_PORT", STR_ARG(name)),
            arena_printf(a, "%d", s->spec.ports.items[0].port));
    for (uint32_t i = 0; i < s->spec.ports.len; i++) {
        const struct core_v1_service_port *p = &s->spec.ports.items[i];

        if (p->name.len)
            env_set(e,
                    arena_printf(a, "%.*s_SERVICE_PORT_%.*s", STR_ARG(name),
                                 STR_ARG(variable_name(a, p->name))),
                    arena_printf(a, "%d", p->port));
        set_service_port(e, name, ip, p);
    }
}

static void set_services(struct env *e, const struct pod_env_sources *s,
                         const struct core_v1_pod *pod)
{
    bool links = !pod->spec.enable_service_links || *pod->spec.enable_service_links;
    const struct api_object *o;

    if (!s->services)
        return;
    o = informer_get(s->services, STR("default/kubernetes"));
    if (o)
        set_service(e, API_OBJECT(o, struct core_v1_service));
    for (size_t cursor = 0; links && (o = informer_next(s->services, &cursor));)
        if (str_eq(o->meta->namespace, pod->metadata.namespace))
            set_service(e, API_OBJECT(o, struct core_v1_service));
}

/* --- references --- */

struct making {
    struct env env; /* the container's own */
    struct env services;
    const struct pod_env_sources *sources;
    const struct core_v1_pod *pod;
    const struct core_v1_container *container;
    const struct runtime_strs *pod_ips;
};

/* The data of a ConfigMap or Secret. *ret NULL: it is optional and absent. */
static int data_of(const struct making *m, struct object_cache *cache, struct str name,
                   const bool *optional, const struct api_object **ret, struct err *err)
{
    int r = object_cache_get(cache, m->pod->metadata.namespace, name, ret, err);

    if (r != ERR_NOT_FOUND || !optional || !*optional)
        return r;
    *ret = NULL;
    return 0;
}

static void set_all(struct making *m, struct str prefix, const void *map)
{
    for (uint32_t i = 0; i < text_map_len(map); i++) {
        const struct schema_str_entry *e = &text_map_items(map)[i];
        struct str name =
            prefix.len ? arena_printf(m->env.arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(e->key))
                       : e->key;

        env_set(&m->env, name, e->value);
    }
}

static int set_from(struct making *m, const struct core_v1_env_from_source *from, struct err *err)
{
    const struct api_object *o;
    int r = 0;

    if (from->config_map_ref) {
        r = data_of(m, m->sources->config_maps, from->config_map_ref->local_object_reference.name,
                    from->config_map_ref->optional, &o, err);
        if (r >= 0 && o)
            set_all(m, from->prefix, &API_OBJECT(o, struct core_v1_config_map)->data);
    }
    if (r >= 0 && from->secret_ref) {
        r = data_of(m, m->sources->secrets, from->secret_ref->local_object_reference.name,
                    from->secret_ref->optional, &o, err);
        if (r >= 0 && o)
            set_all(m, from->prefix, &API_OBJECT(o, struct core_v1_secret)->data);
    }
    return r;
}

/* One key. ret unset: optional and absent. */
static int key_value(const struct making *m, const char *kind, const void *data, struct str name,
                     struct str key, const bool *optional, struct str *ret, struct err *err)
{
    const struct schema_str_entry *e = data ? text_map_find(data, key) : NULL;

    *ret = e ? (e->value.p ? e->value : STR("")) : STR_NULL;
    if (e || (optional && *optional))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "couldn't find key %.*s in %s %.*s/%.*s", STR_ARG(key), kind,
                   STR_ARG(m->pod->metadata.namespace), STR_ARG(name));
}

static int referred_value(const struct making *m, const struct core_v1_env_var_source *s,
                          struct str *ret, struct err *err)
{
    const struct api_object *o;
    int r;

    if (s->field_ref)
        return pod_field_value(m->env.arena, m->pod, m->sources->node, m->pod_ips,
                               s->field_ref->field_path, ret, err);
    if (s->resource_field_ref)
        return pod_field_resource(m->env.arena, m->pod, m->sources->node, m->container,
                                  s->resource_field_ref, ret, err);
    if (s->config_map_key_ref) {
        const struct core_v1_config_map_key_selector *k = s->config_map_key_ref;

        r = data_of(m, m->sources->config_maps, k->local_object_reference.name, k->optional, &o,
                    err);
        return r < 0 ? r
                     : key_value(m, "ConfigMap",
                                 o ? &API_OBJECT(o, struct core_v1_config_map)->data : NULL,
                                 k->local_object_reference.name, k->key, k->optional, ret, err);
    }
    if (s->secret_key_ref) {
        const struct core_v1_secret_key_selector *k = s->secret_key_ref;

        r = data_of(m, m->sources->secrets, k->local_object_reference.name, k->optional, &o, err);
        return r < 0
                   ? r
                   : key_value(m, "Secret", o ? &API_OBJECT(o, struct core_v1_secret)->data : NULL,
                               k->local_object_reference.name, k->key, k->optional, ret, err);
    }
    return err_set(err, ERR_UNSUPPORTED, "this kind of env reference is not supported");
}

static int set_var(struct making *m, const struct core_v1_env_var *var, struct err *err)
{
    const struct mapping mapping = { .maps = { env_map(&m->env), env_map(&m->services) } };
    struct str value = var->value;
    int r;

    if (value.len || !var->value_from) {
        value = expand(m->env.arena, value, &mapping);
    } else {
        r = referred_value(m, var->value_from, &value, err);
        if (r < 0 || !value.p)
            return r;
    }
    env_set(&m->env, var->name, value);
    return 0;
}

/* --- the whole --- */

static int make(struct making *m, struct err *err)
{
    int r = 0;

    set_services(&m->services, m->sources, m->pod);
    for (uint32_t i = 0; i < m->container->env_from.len && r >= 0; i++)
        r = set_from(m, &m->container->env_from.items[i], err);
    for (uint32_t i = 0; i < m->container->env.len && r >= 0; i++)
        r = set_var(m, &m->container->env.items[i], err);
    if (r < 0)
        return r;
    VEC_FOREACH(const struct runtime_key_value *, kv, &m->services.items)
        if (!env_find(&m->env, kv->key))
            VEC_PUSH(&m->env.items, *kv);
    return 0;
}

int pod_env_make(struct arena *a, const struct pod_env_sources *s, const struct core_v1_pod *pod,
                 const struct core_v1_container *container, const struct runtime_strs *pod_ips,
                 struct runtime_map *ret, struct err *err)
{
    struct making m = { .env.arena = a,
                        .services.arena = a,
                        .sources = s,
                        .pod = pod,
                        .container = container,
                        .pod_ips = pod_ips };
    int r = make(&m, err);

    if (r >= 0) {
        ret->len = m.env.items.len;
        ret->items = arena_dup(a, m.env.items.items, ret->len * sizeof(*ret->items));
    }
    VEC_DONE(&m.env.items);
    VEC_DONE(&m.services.items);
    return r;
}

static void retain_container(const struct pod_env_sources *s, const struct core_v1_pod *pod,
                             const struct core_v1_container *c)
{
    struct str ns = pod->metadata.namespace, uid = pod->metadata.uid;

    for (uint32_t i = 0; i < c->env_from.len; i++) {
        const struct core_v1_env_from_source *f = &c->env_from.items[i];

        if (f->config_map_ref)
            object_cache_retain(s->config_maps, uid, ns,
                                f->config_map_ref->local_object_reference.name);
        if (f->secret_ref)
            object_cache_retain(s->secrets, uid, ns, f->secret_ref->local_object_reference.name);
    }
    for (uint32_t i = 0; i < c->env.len; i++) {
        const struct core_v1_env_var_source *v = c->env.items[i].value_from;

        if (v && v->config_map_key_ref)
            object_cache_retain(s->config_maps, uid, ns,
                                v->config_map_key_ref->local_object_reference.name);
        if (v && v->secret_key_ref)
            object_cache_retain(s->secrets, uid, ns,
                                v->secret_key_ref->local_object_reference.name);
    }
}

void pod_env_retain(const struct pod_env_sources *s, const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < pod->spec.init_containers.len; i++)
        retain_container(s, pod, &pod->spec.init_containers.items[i]);
    for (uint32_t i = 0; i < pod->spec.containers.len; i++)
        retain_container(s, pod, &pod->spec.containers.items[i]);
}
