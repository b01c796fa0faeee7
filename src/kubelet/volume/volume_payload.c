/* What the volumes of small files hold: ConfigMaps, Secrets, fields of the Pod, tokens, and any of
 * them put together (projected). */
#include "api/core_v1.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "client/api_object.h"
#include "kubelet/object_cache.h"
#include "kubelet/pod_field.h"
#include "kubelet/volume/volume_internal.h"

typedef const struct core_v1_key_to_path key_to_path;

/* An object's keys as files: all, or those that items name. */
struct source {
    struct object_cache *cache;
    struct str name;
    key_to_path *items;
    uint32_t n_items;
    bool is_optional;
    const char *kind; /* for messages */
};

enum { DEFAULT_MODE = 0644 };

/* Without empty parts and "."; what is absolute stays so, for the writer to refuse. */
static struct str clean_path(struct arena *a, struct str path)
{
    struct str rest = path, part;
    struct buf b;

    if (str_has_prefix(path, STR("/")))
        return path;
    buf_init_arena(&b, a, path.len);
    while (str_next(&rest, '/', &part))
        if (part.len && !str_eq(part, STR(".")))
            buf_printf(&b, "%s%.*s", b.len ? "/" : "", STR_ARG(part));
    return buf_str(&b);
}

/* Of two files with the same path the later one counts. */
static struct atomic_file *add_file(struct volume_task *t, struct str path, struct str data,
                                    mode_t mode)
{
    struct atomic_file f = { clean_path(t->arena, path), data, mode & 0777, (uid_t)-1 };

    for (size_t i = 0; i < t->files.len; i++)
        if (str_eq(t->files.items[i].path, f.path)) {
            t->files.items[i] = f;
            return &t->files.items[i];
        }
    VEC_PUSH(&t->files, f);
    return &VEC_LAST(&t->files);
}

static const struct schema_str_entry *find_key(const struct api_object *o, bool is_secret,
                                               struct str key)
{
    const struct schema_str_entry *e;

    if (is_secret)
        return text_map_find(&API_OBJECT(o, struct core_v1_secret)->data, key);
    e = text_map_find(&API_OBJECT(o, struct core_v1_config_map)->data, key);
    return e ? e : text_map_find(&API_OBJECT(o, struct core_v1_config_map)->binary_data, key);
}

static void add_map(struct volume_task *t, const void *map, mode_t mode)
{
    for (uint32_t i = 0; i < text_map_len(map); i++)
        (void)add_file(t, text_map_items(map)[i].key, text_map_items(map)[i].value, mode);
}

static int add_keys(struct volume_task *t, const struct source *s, const struct api_object *o,
                    bool is_secret, mode_t mode)
{
    if (!s->n_items) {
        if (is_secret) {
            add_map(t, &API_OBJECT(o, struct core_v1_secret)->data, mode);
        } else {
            add_map(t, &API_OBJECT(o, struct core_v1_config_map)->data, mode);
            add_map(t, &API_OBJECT(o, struct core_v1_config_map)->binary_data, mode);
        }
        return 0;
    }
    for (uint32_t i = 0; i < s->n_items; i++) {
        const struct schema_str_entry *e = find_key(o, is_secret, s->items[i].key);

        if (e)
            (void)add_file(t, s->items[i].path, e->value,
                           s->items[i].mode ? (mode_t)*s->items[i].mode : mode);
        else if (!s->is_optional)
            return err_set(t->err, ERR_NOT_FOUND, "%sreferences non-existent %s key: %.*s",
                           is_secret ? "" : "configmap ", s->kind, STR_ARG(s->items[i].key));
    }
    return 0;
}

static int add_object(struct volume_task *t, const struct source *s, mode_t mode)
{
    bool is_secret = s->cache == t->manager->o.secrets;
    const struct api_object *o;
    int r;

    object_cache_retain(s->cache, t->pod->metadata.uid, t->pod->metadata.namespace, s->name);
    r = object_cache_get(s->cache, t->pod->metadata.namespace, s->name, &o, t->err);
    if (r == ERR_NOT_FOUND && s->is_optional)
        return 0;
    return r < 0 ? r : add_keys(t, s, o, is_secret, mode);
}

static int add_fields(struct volume_task *t, const struct core_v1_downward_api_volume_file *items,
                      uint32_t n, mode_t mode)
{
    for (uint32_t i = 0; i < n; i++) {
        struct str text = STR_NULL;
        int r = 0;

        if (items[i].field_ref)
            r = pod_field_value(t->arena, t->pod, t->manager->o.node, &(struct runtime_strs){ 0 },
                                items[i].field_ref->field_path, &text, t->err);
        else if (items[i].resource_field_ref)
            r = pod_field_resource(t->arena, t->pod, t->manager->o.node, NULL,
                                   items[i].resource_field_ref, &text, t->err);
        if (r < 0)
            return r;
        (void)add_file(t, items[i].path, text, items[i].mode ? (mode_t)*items[i].mode : mode);
    }
    return 0;
}

static const int64_t *user_of(const struct core_v1_pod *pod, const struct core_v1_container *c)
{
    if (c->security_context && c->security_context->run_as_user)
        return c->security_context->run_as_user;
    return pod->spec.security_context ? pod->spec.security_context->run_as_user : NULL;
}

/* The one user that all containers run as by the spec; (uid_t)-1: there is none. */
static uid_t only_user(const struct core_v1_pod *pod)
{
    const struct core_v1_pod_spec *s = &pod->spec;
    uint32_t n = s->init_containers.len + s->containers.len;
    int64_t user = -1;

    for (uint32_t i = 0; i < n; i++) {
        const int64_t *u = user_of(pod, i < s->init_containers.len
                                            ? &s->init_containers.items[i]
                                            : &s->containers.items[i - s->init_containers.len]);

        if (!u || (user >= 0 && user != *u))
            return (uid_t)-1;
        user = *u;
    }
    return (uid_t)user;
}

/* Nobody but its user and group may read a token, where these are known. */
static int add_token(struct volume_task *t, uint32_t i,
                     const struct core_v1_service_account_token_projection *p, mode_t mode)
{
    uid_t uid = only_user(t->pod);
    struct str token;
    int r = volume_token_get(t, i, p, &token);

    if (r == 0)
        add_file(t, p->path, token, t->gid == (gid_t)-1 && uid == (uid_t)-1 ? mode : (mode_t)0600)
            ->uid = uid;
    return r;
}

static bool is_true(const bool *p)
{
    return p && *p;
}

static int add_projection(struct volume_task *t, uint32_t i,
                          const struct core_v1_volume_projection *p, mode_t mode)
{
    const struct volume_manager_options *o = &t->manager->o;

    if (p->config_map)
        return add_object(t,
                          &(struct source){ o->config_maps,
                                            p->config_map->local_object_reference.name,
                                            p->config_map->items.items, p->config_map->items.len,
                                            is_true(p->config_map->optional), "config" },
                          mode);
    if (p->secret)
        return add_object(t,
                          &(struct source){ o->secrets, p->secret->local_object_reference.name,
                                            p->secret->items.items, p->secret->items.len,
                                            is_true(p->secret->optional), "secret" },
                          mode);
    if (p->downward_api)
        return add_fields(t, p->downward_api->items.items, p->downward_api->items.len, mode);
    if (p->service_account_token)
        return add_token(t, i, p->service_account_token, mode);
    return err_set(t->err, ERR_UNSUPPORTED, "projected source %u: %s is not supported", i,
                   p->cluster_trust_bundle ? "clusterTrustBundle"
                   : p->pod_certificate    ? "podCertificate"
                                           : "a source of this kind");
}

static int add_projected(struct volume_task *t, const struct core_v1_projected_volume_source *p)
{
    mode_t mode = p->default_mode ? (mode_t)*p->default_mode : DEFAULT_MODE;
    int first = 0, n = 0;
    bool is_early = false;
    struct buf all;

    buf_init_arena(&all, t->arena, 256);
    /* Every source is asked, so that all begin to look for what they need. */
    for (uint32_t i = 0; i < p->sources.len; i++) {
        int r = add_projection(t, i, &p->sources.items[i], mode);

        is_early |= r == ERR_AGAIN;
        if (r == 0 || r == ERR_AGAIN)
            continue;
        first = n++ ? first : r;
        buf_printf(&all, "%s%s", n > 1 ? ", " : "", t->err->text);
    }
    if (n)
        return err_set(t->err, first, n > 1 ? "[%.*s]" : "%.*s", STR_ARG(buf_str(&all)));
    return is_early ? err_set(t->err, ERR_AGAIN, "not all sources are known yet") : 0;
}

int volume_payload(struct volume_task *t)
{
    const struct core_v1_volume_source *v = &t->volume->volume_source;
    const struct volume_manager_options *o = &t->manager->o;

    if (v->config_map)
        return add_object(
            t,
            &(struct source){ o->config_maps, v->config_map->local_object_reference.name,
                              v->config_map->items.items, v->config_map->items.len,
                              is_true(v->config_map->optional), "config" },
            v->config_map->default_mode ? (mode_t)*v->config_map->default_mode : DEFAULT_MODE);
    if (v->secret)
        return add_object(
            t,
            &(struct source){ o->secrets, v->secret->secret_name, v->secret->items.items,
                              v->secret->items.len, is_true(v->secret->optional), "secret" },
            v->secret->default_mode ? (mode_t)*v->secret->default_mode : DEFAULT_MODE);
    if (v->downward_api)
        return add_fields(t, v->downward_api->items.items, v->downward_api->items.len,
                          v->downward_api->default_mode ? (mode_t)*v->downward_api->default_mode
                                                        : DEFAULT_MODE);
    return add_projected(t, v->projected);
}
