/* Rules of volumes that look at several fields, or at the Pod that holds them. */
#include <ctype.h>

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/meta_validation.h"
#include "api/quantity.h"
#include "api/rules_pod_scan.h"
#include "api/text_map.h"
#include "api/validation.h"
#include "base/arena.h"

#define MODE_TEXT "must be a number between 0 and 0777 (octal), both inclusive"

enum { ISCSI_NAME_MAX = 64, LUN_MAX = 255, TENANT_MAX = 64 };

void rule_volume_begin(const struct rule_context *c)
{
    c->scratch->pod->errors_before = c->errs->len;
}

/* Only sound volumes can be mounted. */
void rule_volume_name(const struct rule_context *c)
{
    const struct core_v1_volume *v = c->data;
    const struct core_v1_persistent_volume_claim_volume_source *claim =
        v->volume_source.persistent_volume_claim;
    struct field_path name = field_path_member(c->path, STR("name"));
    struct field_path source = field_path_member(c->path, STR("persistentVolumeClaim"));
    struct field_path at = field_path_member(&source, STR("claimName"));
    struct pod_scan *scan = c->scratch->pod;
    const void *twin; /* NULL of a claim template, which takes this one's place */

    if (v->name.len == 0)
        rule_required(c, "name", "");
    else
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_LABEL, v->name);
    if (rule_names_has(&scan->volumes, v->name, &twin) && twin)
        field_errors_add_text(c->errs, &name, FIELD_ERROR_DUPLICATE, v->name, "");
    if (c->errs->len == scan->errors_before)
        (void)rule_names_add(c, &scan->volumes, v->name, v);
    if (claim && rule_names_has(&scan->created, claim->claim_name, NULL))
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, claim->claim_name,
                              "must not reference a PVC that gets created for an ephemeral volume");
}

void rule_empty_dir(const struct rule_context *c)
{
    const struct core_v1_empty_dir_volume_source *e = c->data;
    struct quantity q;

    if (e->size_limit.p && quantity_parse(e->size_limit, &q) && q.nano < 0)
        rule_forbidden(c, "sizeLimit", "SizeLimit field must be a valid resource quantity");
}

void rule_host_path(const struct rule_context *c)
{
    static const char known[] = "|BlockDevice|CharDevice|Directory|DirectoryOrCreate|File|"
                                "FileOrCreate|Socket";
    const struct core_v1_host_path_volume_source *h = c->data;
    struct str rest = str_from_cstr(known), part;
    bool ok = !h->type.p;

    if (h->path.len == 0)
        return;
    if (rule_has_parent_step(h->path))
        rule_invalid(c, "path", h->path, "must not contain '..'");
    while (!ok && str_next(&rest, '|', &part))
        ok = str_eq(part, h->type);
    if (!ok)
        rule_unsupported(c, "type", h->type, known);
}

void rule_git_repo(const struct rule_context *c)
{
    const struct core_v1_git_repo_volume_source *g = c->data;
    struct field_path at = field_path_member(c->path, STR("directory"));

    rule_check_relative(c, &at, g->directory);
}

void rule_local_path(const struct rule_context *c)
{
    const struct core_v1_local_volume_source *l = c->data;

    if (rule_has_parent_step(l->path))
        rule_invalid(c, "path", l->path, "must not contain '..'");
}

void rule_nfs(const struct rule_context *c)
{
    const struct core_v1_nfs_volume_source *n = c->data;

    if (n->path.len == 0 || n->path.p[0] != '/')
        rule_invalid(c, "path", n->path, "must be an absolute path");
}

static void check_mode(const struct rule_context *c, const int32_t *mode)
{
    if (mode && (*mode < 0 || *mode > 0777))
        rule_invalid_number(c, "mode", *mode, MODE_TEXT);
}

/* In a projected volume no path may be there twice; the path of the error is upstream's. */
static void check_file(const struct rule_context *c, const struct field_path *projected,
                       struct str file, struct str shown)
{
    if (file.len && !rule_names_add(c, &c->scratch->pod->files, file, NULL))
        field_errors_add_text(c->errs, projected, FIELD_ERROR_INVALID, shown,
                              "conflicting duplicate paths");
}

/* "projected" above sources[i].NAME, NULL when the path is none of a projection. */
static const struct field_path *projection_of(const struct field_path *source)
{
    const struct field_path *item = source->parent;

    return item && item->parent && str_eq(item->parent->name, STR("sources")) ? item->parent->parent
                                                                              : NULL;
}

void rule_key_to_path(const struct rule_context *c)
{
    const struct core_v1_key_to_path *k = c->data;
    struct field_path at = field_path_member(c->path, STR("path"));
    const struct field_path *source = c->path->parent->parent;
    const struct field_path *projected = projection_of(source);
    const struct core_v1_secret_projection *secret = c->up->data;
    const struct core_v1_config_map_projection *map = c->up->data;

    rule_check_not_reserved(c, &at, k->path);
    check_mode(c, k->mode);
    if (projected)
        check_file(c, projected, k->path,
                   str_eq(source->name, STR("secret")) ? secret->local_object_reference.name
                                                       : map->local_object_reference.name);
}

/* Upstream's paths leave out the item. */
void rule_downward_file(const struct rule_context *c)
{
    const struct core_v1_downward_api_volume_file *f = c->data;
    struct rule_context all = *c;
    struct field_path at = field_path_member(c->path->parent->parent, STR("path"));
    const struct field_path *projected = projection_of(c->path->parent->parent);

    all.path = c->path->parent->parent;
    if (f->path.len == 0)
        rule_required(&all, "path", "");
    rule_check_not_reserved(c, &at, f->path);
    if (f->field_ref) {
        rule_below(&all, "fieldRef");
        if (f->resource_field_ref)
            field_errors_add_text(c->errs, all.path, FIELD_ERROR_INVALID, STR("resource"),
                                  "fieldRef and resourceFieldRef can not be specified "
                                  "simultaneously");
    } else if (f->resource_field_ref) {
        rule_below(&all, "resourceFieldRef");
    } else {
        field_errors_add(c->errs, all.path, FIELD_ERROR_REQUIRED,
                         "one of fieldRef and resourceFieldRef is required");
    }
    check_mode(&all, f->mode);
    if (projected)
        check_file(c, projected, f->path, f->path);
}

void rule_projection(const struct rule_context *c)
{
    const struct core_v1_volume_projection *p = c->data;
    int n = !!p->secret + !!p->config_map + !!p->downward_api + !!p->service_account_token;

    if (c->path->index == 0)
        rule_names_done(&c->scratch->pod->files);
    rule_below(c, "secret");
    rule_below(c, "configMap");
    rule_below(c, "downwardAPI");
    rule_below(c, "serviceAccountToken");
    if (n > 1)
        field_errors_add(c->errs, c->path, FIELD_ERROR_FORBIDDEN,
                         "may not specify more than 1 volume type per source");
}

void rule_token_projection(const struct rule_context *c)
{
    const struct core_v1_service_account_token_projection *t = c->data;
    struct field_path at = field_path_member(projection_of(c->path), STR("path"));

    if (t->path.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
    else
        rule_check_not_reserved(c, &at, t->path);
}

static bool is_alnum_run(struct str s, size_t n)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.p[i]))
            return false;
    return s.len == n;
}

/* iqn.YYYY-MM.NAME:REST */
static bool is_iqn(struct str s)
{
    static const char form[] = "iqn.dddd-dd.";
    struct str name, rest;

    for (size_t i = 0; form[i]; i++)
        if (i >= s.len || (form[i] == 'd' ? !isdigit((unsigned char)s.p[i]) : s.p[i] != form[i]))
            return false;
    s = str_tail(s, sizeof(form) - 1);
    if (!str_cut(s, ':', &name, &rest) || name.len == 0 || rest.len == 0)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '-' && name.p[i] != '.')
            return false;
    for (size_t i = 0; i < rest.len; i++)
        if (strchr(",;*&$|\t\n\v\f\r ", rest.p[i]))
            return false;
    return true;
}

static void check_iscsi_name(const struct rule_context *c, const char *member, struct str name,
                             const char *what)
{
    if (str_has_prefix(name, STR("iqn"))) {
        if (!is_iqn(name))
            rule_invalid(c, member, name, "must be valid format");
    } else if (str_has_prefix(name, STR("eui"))) {
        if (name.len < 4 || !is_alnum_run(str_tail(name, 4), 16))
            rule_invalid(c, member, name, "must be valid format");
    } else if (str_has_prefix(name, STR("naa"))) {
        if (name.len < 4 || !is_alnum_run(str_tail(name, 4), 32))
            rule_invalid(c, member, name, "must be valid format");
    } else {
        rule_invalid(c, member, name, what);
    }
}

static void check_iqn(const struct rule_context *c, struct str iqn, const char *what)
{
    if (iqn.len == 0)
        rule_required(c, "iqn", "");
    else
        check_iscsi_name(c, "iqn", iqn, what);
}

static void check_lun(const struct rule_context *c, int32_t lun)
{
    if (lun < 0 || lun > LUN_MAX)
        rule_invalid_number(c, "lun", lun, "must be between 0 and 255, inclusive");
}

#define ISCSI_LONG_TEXT                                                                            \
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "           \
    "iscsi.initiatorName is specified."

void rule_iscsi(const struct rule_context *c)
{
    static const char what[] = "must be valid format starting with iqn, eui, or naa";
    const struct core_v1_iscsi_volume_source *s = c->data;
    const struct core_v1_volume *v = c->up->up->data;

    check_iqn(c, s->iqn, what);
    check_lun(c, s->lun);
    if ((s->chap_auth_discovery || s->chap_auth_session) && !s->secret_ref)
        rule_required(c, "secretRef", "");
    if (s->initiator_name.p)
        check_iscsi_name(c, "initiatorname", s->initiator_name, what);
    if (s->initiator_name.p && v->name.len + 1 + s->target_portal.len > ISCSI_NAME_MAX)
        rule_invalid(c->up, "name", v->name, ISCSI_LONG_TEXT);
}

void rule_iscsi_volume(const struct rule_context *c)
{
    static const char what[] = "must be valid format";
    const struct core_v1_iscsi_persistent_volume_source *s = c->data;
    const struct core_v1_persistent_volume *v = c->request->object.data;

    if (s->initiator_name.p && v->metadata.name.len + 1 + s->target_portal.len > ISCSI_NAME_MAX)
        rule_invalid(c, "targetportal", s->target_portal, ISCSI_LONG_TEXT);
    check_iqn(c, s->iqn, what);
    check_lun(c, s->lun);
    if ((s->chap_auth_discovery || s->chap_auth_session) && !s->secret_ref)
        rule_required(c, "secretRef", "");
    if (s->secret_ref)
        rule_check_secret_ref(c, "secretRef", s->secret_ref->name);
    if (s->initiator_name.p)
        check_iscsi_name(c, "initiatorname", s->initiator_name, what);
}

/* REQUIRED at member.name */
void rule_check_secret_ref(const struct rule_context *c, const char *member, struct str name)
{
    struct field_path ref = field_path_member(c->path, str_from_cstr(member));
    struct field_path at = field_path_member(&ref, STR("name"));

    if (name.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
}

static void check_secret_and_namespace(const struct rule_context *c, const char *member,
                                       struct str name, struct str namespace)
{
    struct field_path ref = field_path_member(c->path, str_from_cstr(member));
    struct field_path at = field_path_member(&ref, STR("namespace"));

    rule_check_secret_ref(c, member, name);
    if (namespace.len == 0)
        field_errors_add(c->errs, &at, FIELD_ERROR_REQUIRED, "");
}

void rule_cinder(const struct rule_context *c)
{
    const struct core_v1_cinder_volume_source *s = c->data;

    if (s->secret_ref)
        rule_check_secret_ref(c, "secretRef", s->secret_ref->name);
}

void rule_cinder_volume(const struct rule_context *c)
{
    const struct core_v1_cinder_persistent_volume_source *s = c->data;

    if (s->secret_ref)
        check_secret_and_namespace(c, "secretRef", s->secret_ref->name, s->secret_ref->namespace);
}

void rule_storage_os(const struct rule_context *c)
{
    const struct core_v1_storage_os_volume_source *s = c->data;

    if (s->secret_ref)
        rule_check_secret_ref(c, "secretRef", s->secret_ref->name);
}

void rule_storage_os_volume(const struct rule_context *c)
{
    const struct core_v1_storage_os_persistent_volume_source *s = c->data;

    if (s->secret_ref)
        check_secret_and_namespace(c, "secretRef", s->secret_ref->name, s->secret_ref->namespace);
}

void rule_fc(const struct rule_context *c)
{
    const struct core_v1_fc_volume_source *s = c->data;
    struct field_path names = field_path_member(c->path, STR("targetWWNs"));

    if (s->target_wwns.len == 0 && s->wwids.len == 0)
        rule_required(c, "targetWWNs", "must specify either targetWWNs or wwids, but not both");
    if (s->target_wwns.len == 0)
        return;
    if (s->wwids.len)
        field_errors_add_raw(c->errs, &names, FIELD_ERROR_INVALID,
                             rule_print_texts(c->arena, s->target_wwns.items, s->target_wwns.len),
                             "targetWWNs and wwids can not be specified simultaneously");
    if (!s->lun)
        rule_required(c, "lun", "lun is required if targetWWNs is specified");
    else
        check_lun(c, *s->lun);
}

void rule_flocker(const struct rule_context *c)
{
    const struct core_v1_flocker_volume_source *s = c->data;

    if (s->dataset_name.len == 0 && s->dataset_uuid.len == 0)
        field_errors_add(c->errs, c->path, FIELD_ERROR_REQUIRED,
                         "one of datasetName and datasetUUID is required");
    if (s->dataset_name.len && s->dataset_uuid.len)
        field_errors_add_text(c->errs, c->path, FIELD_ERROR_INVALID, STR("resource"),
                              "datasetName and datasetUUID can not be specified simultaneously");
    if (str_find(s->dataset_name, '/') >= 0)
        rule_invalid(c, "datasetName", s->dataset_name, "must not contain '/'");
}

/* host:port, with IPv6 in brackets */
static bool is_host_port(struct str s)
{
    long last = -1, colons = 0;

    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == ':') {
            last = (long)i;
            colons++;
        }
    if (last < 0)
        return false;
    if (s.p[0] == '[')
        return last > 1 && s.p[last - 1] == ']';
    return colons == 1 && str_find(s, '[') < 0 && str_find(s, ']') < 0;
}

void rule_quobyte(const struct rule_context *c)
{
    static const char text[] = "must be a host:port pair or multiple pairs separated by commas";
    const struct core_v1_quobyte_volume_source *s = c->data;
    struct str rest = s->registry, pair;

    if (s->registry.len == 0) {
        rule_required(c, "registry", text);
    } else if (s->tenant.len > TENANT_MAX) {
        rule_required(c, "tenant", "must be a UUID and may not exceed a length of 64 characters");
    } else {
        while (str_next(&rest, ',', &pair))
            if (!is_host_port(pair))
                rule_invalid(c, "registry", s->registry, text);
    }
}

static void check_flex_options(const struct rule_context *c, const void *options)
{
    const struct schema_str_entry *e = text_map_items(options);
    struct field_path at = field_path_member(c->path, STR("options"));

    for (uint32_t i = 0; i < text_map_len(options); i++) {
        struct field_path key = field_path_key(&at, e[i].key);
        struct str prefix = e[i].key, rest, lower;

        (void)str_cut(e[i].key, '/', &prefix, &rest);
        lower = arena_printf(c->arena, ".%.*s", STR_ARG(prefix));
        for (size_t k = 0; k < lower.len; k++)
            ((char *)(uintptr_t)lower.p)[k] = (char)tolower((unsigned char)lower.p[k]);
        if (str_has_suffix(lower, STR(".kubernetes.io")) || str_has_suffix(lower, STR(".k8s.io")))
            field_errors_add_text(c->errs, &key, FIELD_ERROR_INVALID, e[i].key,
                                  "kubernetes.io and k8s.io namespaces are reserved");
    }
}

void rule_flex(const struct rule_context *c)
{
    const struct core_v1_flex_volume_source *s = c->data;

    check_flex_options(c, &s->options);
}

void rule_flex_volume(const struct rule_context *c)
{
    const struct core_v1_flex_persistent_volume_source *s = c->data;

    check_flex_options(c, &s->options);
}

void rule_azure_disk(const struct rule_context *c)
{
    const struct core_v1_azure_disk_volume_source *s = c->data;
    bool managed = str_eq(s->kind, STR("Managed"));

    if (!s->kind.p)
        return;
    if (managed && !str_has_prefix(s->disk_uri, STR("/subscriptions/")))
        rule_unsupported(c, "diskURI", s->disk_uri,
                         "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/"
                         "microsoft.compute/disks/{disk-id}");
    if (!managed && !str_has_prefix(s->disk_uri, STR("https://")))
        rule_unsupported(c, "diskURI", s->disk_uri,
                         "https://{account-name}.blob.core.windows.net/{container-name}/"
                         "{disk-name}.vhd");
}

void rule_csi_source(const struct rule_context *c)
{
    const struct core_v1_csi_volume_source *s = c->data;
    struct field_path name = field_path_member(c->path, STR("name"));

    if (!s->node_publish_secret_ref)
        return;
    if (s->node_publish_secret_ref->name.len == 0)
        rule_check_secret_ref(c, "nodePublishSecretRef", STR(""));
    else
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_SUBDOMAIN,
                               s->node_publish_secret_ref->name);
}

static void check_volume_secret(const struct rule_context *c, const char *member,
                                const struct core_v1_secret_reference *ref)
{
    struct field_path at = field_path_member(c->path, str_from_cstr(member));
    struct field_path name = field_path_member(&at, STR("name"));
    struct field_path namespace = field_path_member(&at, STR("namespace"));

    if (!ref)
        return;
    if (ref->name.len == 0)
        field_errors_add(c->errs, &name, FIELD_ERROR_REQUIRED, "");
    else
        (void)name_rule_report(c->errs, &name, NAME_RULE_DNS1123_SUBDOMAIN, ref->name);
    if (ref->namespace.len == 0)
        field_errors_add(c->errs, &namespace, FIELD_ERROR_REQUIRED, "");
    else
        (void)name_rule_report(c->errs, &namespace, NAME_RULE_DNS1123_LABEL, ref->namespace);
}

void rule_csi_volume(const struct rule_context *c)
{
    const struct core_v1_csi_persistent_volume_source *s = c->data;

    check_volume_secret(c, "controllerPublishSecretRef", s->controller_publish_secret_ref);
    check_volume_secret(c, "controllerExpandSecretRef", s->controller_expand_secret_ref);
    check_volume_secret(c, "nodePublishSecretRef", s->node_publish_secret_ref);
    check_volume_secret(c, "nodeExpandSecretRef", s->node_expand_secret_ref);
}

static void check_template_meta(const struct rule_context *c, const struct meta_v1_object_meta *m)
{
    struct field_path template = field_path_member(c->path, STR("volumeClaimTemplate"));
    struct field_path meta = field_path_member(&template, STR("metadata"));
    struct field_path labels = field_path_member(&meta, STR("labels"));
    struct field_path annotations = field_path_member(&meta, STR("annotations"));
    struct field_path uid = field_path_member(&meta, STR("uID")); /* upstream's spelling */

    meta_validate_annotations(c->errs, &m->annotations, &annotations);
    meta_validate_labels(c->errs, &m->labels, &labels);
    rule_forbid_set(c, &meta, "meta.k8s.io/v1.ObjectMeta", m,
                    "name|generateName|namespace|selfLink", "cannot be set");
    if (m->uid.len)
        field_errors_add(c->errs, &uid, FIELD_ERROR_FORBIDDEN, "cannot be set");
    rule_forbid_set(c, &meta, "meta.k8s.io/v1.ObjectMeta", m,
                    "resourceVersion|generation|creationTimestamp|deletionTimestamp|"
                    "deletionGracePeriodSeconds|ownerReferences|finalizers|managedFields",
                    "cannot be set");
}

void rule_ephemeral_source(const struct rule_context *c)
{
    const struct core_v1_ephemeral_volume_source *s = c->data;
    const struct core_v1_volume *v = c->up->up->data;
    const struct meta_v1_object_meta *meta = c->scratch->pod->meta;
    struct field_path at = field_path_member(c->up->path, STR("name"));
    struct name_messages m;
    struct str name;

    if (!s->volume_claim_template) {
        rule_required(c, "volumeClaimTemplate", "");
    } else {
        check_template_meta(c, &s->volume_claim_template->metadata);
        rule_below(c, "volumeClaimTemplate");
    }
    if (!meta || meta->name.len == 0 || v->name.len == 0)
        return;
    name = arena_printf(c->arena, "%.*s-%.*s", STR_ARG(meta->name), STR_ARG(v->name));
    name_rule_check(NAME_RULE_DNS1123_SUBDOMAIN, name, &m);
    for (size_t i = 0; i < m.len; i++)
        field_errors_add_text(c->errs, &at, FIELD_ERROR_INVALID, v->name, "PVC name \"%.*s\": %.*s",
                              STR_ARG(name), STR_ARG(m.items[i]));
}

void rule_image_source(const struct rule_context *c)
{
    const struct core_v1_image_volume_source *s = c->data;

    if (c->scratch->pod->meta && s->reference.len == 0)
        rule_required(c, "reference", "");
    if (s->pull_policy.len == 0)
        rule_required(c, "pullPolicy", "");
    else if (!str_eq(s->pull_policy, STR("Always")) &&
             !str_eq(s->pull_policy, STR("IfNotPresent")) && !str_eq(s->pull_policy, STR("Never")))
        rule_unsupported(c, "pullPolicy", s->pull_policy, "Always|IfNotPresent|Never");
}
