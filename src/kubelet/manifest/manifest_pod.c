#include "kubelet/manifest/manifest_pod.h"

#include "api/core_v1.h"
#include "api/defaults.h"
#include "api/field_error.h"
#include "api/meta_validation.h"
#include "api/pod_references.h"
#include "api/resource.h"
#include "api/validation.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "client/api_object.h"
#include "codec/digest.h"
#include "codec/time_text.h"
#include "codec/value.h"
#include "codec/yaml.h"

/* A digest of where it stands and what it says: 32 hex digits, as upstream's. */
static struct str make_uid(struct arena *a, struct str text, const struct manifest_origin *from)
{
    char digest[DIGEST_TEXT_BYTES];
    struct str all = arena_printf(a, "%.*s\n%.*s\n%.*s", STR_ARG(from->node_name),
                                  STR_ARG(from->path), STR_ARG(text));

    digest_sha256_text(all, digest);
    return str_dup(a, str_n(digest + 7, 32));
}

static struct value *member_object(struct arena *a, struct value *v, struct str key)
{
    struct value *m = value_get(v, key);

    return m && m->type == VALUE_OBJECT ? m : value_set(a, v, key, value_object());
}

static void put(struct arena *a, struct value *v, struct str key, struct str text)
{
    (void)value_set(a, v, key, value_string(text));
}

static void set_meta(struct arena *a, struct value *root, struct str uid,
                     const struct manifest_origin *from)
{
    struct value *meta = member_object(a, root, STR("metadata")), *notes;
    struct str name = value_get_str(meta, STR("name"));
    struct buf seen;

    buf_init_arena(&seen, a, 32);
    time_text_print(&seen, from->now_s);
    put(a, meta, STR("name"),
        arena_printf(a, "%.*s-%.*s", STR_ARG(name), STR_ARG(from->node_name)));
    put(a, meta, STR("uid"), uid);
    if (!value_get_str(meta, STR("namespace")).len)
        put(a, meta, STR("namespace"), STR("default"));
    notes = member_object(a, meta, STR("annotations"));
    put(a, notes, STR("kubernetes.io/config.hash"), uid);
    put(a, notes, STR("kubernetes.io/config.seen"), buf_str(&seen));
    put(a, notes, STR("kubernetes.io/config.source"), STR("file"));
}

/* Bound here, and never driven away. */
static void set_spec(struct arena *a, struct value *root, const struct manifest_origin *from)
{
    struct value *spec = member_object(a, root, STR("spec")), *list, *all;

    put(a, spec, STR("nodeName"), from->node_name);
    list = value_get(spec, STR("tolerations"));
    if (!list || list->type != VALUE_ARRAY)
        list = value_set(a, spec, STR("tolerations"), value_array());
    all = value_push(a, list, value_object());
    put(a, all, STR("operator"), STR("Exists"));
    put(a, all, STR("effect"), STR("NoExecute"));
    (void)value_remove(root, STR("status"));
}

static int validate(struct arena *a, const struct api_object *o, struct err *err)
{
    const struct meta_rules meta = { .namespaced = true, .name_rule = NAME_RULE_DNS1123_SUBDOMAIN };
    struct field_errors errs;

    field_errors_init(&errs, a);
    validation_run(&(struct validation_request){ .object = o->o, .meta = &meta }, &errs);
    if (!errs.len)
        return 0;
    return err_set(err, ERR_INVALID, "invalid Pod: %.*s: %.*s", STR_ARG(errs.items[0].path),
                   STR_ARG(errs.items[0].message));
}

/* It must run without an API server. */
static int check_references(const struct api_object *o, struct err *err)
{
    const char *what = pod_references_any(API_OBJECT(o, struct core_v1_pod));

    return what ? err_set(err, ERR_INVALID, "static pods may not reference %s", what) : 0;
}

static int check_kind(const struct value *root, struct err *err)
{
    if (root->type == VALUE_OBJECT && str_eq(value_get_str(root, STR("kind")), STR("Pod")) &&
        str_eq(value_get_str(root, STR("apiVersion")), STR("v1")))
        return 0;
    return err_set(err, ERR_INVALID, "not a Pod of v1");
}

int manifest_pod_decode(struct str text, const struct manifest_origin *from,
                        const struct api_object **ret, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct api_object *o;
    struct value root;
    struct str json;
    struct buf b;
    int r;

    r = yaml_to_json(&a, text, false, MANIFEST_MAX_BYTES * 4, &json, err);
    if (r >= 0)
        r = value_parse(&a, json, &root, NULL, err);
    if (r >= 0)
        r = check_kind(&root, err);
    if (r < 0)
        return r;
    set_meta(&a, &root, make_uid(&a, text, from), from);
    set_spec(&a, &root, from);
    buf_init_arena(&b, &a, json.len + 1024);
    value_print(&b, &root);
    r = api_object_decode(resource_find(STR(""), STR("v1"), STR("pods")), buf_str(&b), &o, err);
    if (r < 0)
        return r;
    object_default(&o->arena, o->o); /* nobody else has it yet */
    r = validate(&a, o, err);
    if (r >= 0)
        r = check_references(o, err);
    if (r < 0) {
        api_object_unref(o);
        return r;
    }
    *ret = o;
    return 0;
}
