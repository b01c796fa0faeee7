/* pods/NAME/binding (and the older bindings): the scheduler's word that a Pod runs on a node. It is
 * said once. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/pod_condition.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/registry/system_fields.h"
#include "apiserver/registry/write.h"
#include "base/arena.h"
#include "base/clock.h"

static enum write_decision conflict(struct write *w, const char *text)
{
    struct group_resource gr = { STR(""), STR("pods/binding") };

    w->refused = status_conflict(w->r->arena, gr, w->name, "%s", text);
    return WRITE_REFUSED;
}

/* Why this Pod cannot be bound by this binding; NULL: it can. */
static const char *obstacle(struct write *w, const struct core_v1_pod *pod,
                            const struct meta_v1_object_meta *asked)
{
    struct arena *a = w->r->arena;
    const struct meta_v1_object_meta *meta = &pod->metadata;

    if (asked->uid.len && !str_eq(asked->uid, meta->uid))
        return arena_printf(a,
                            "Precondition failed: UID in precondition: %.*s, UID in object meta: "
                            "%.*s",
                            STR_ARG(asked->uid), STR_ARG(meta->uid))
            .p;
    if (asked->resource_version.len && !str_eq(asked->resource_version, meta->resource_version))
        return arena_printf(a,
                            "Precondition failed: ResourceVersion in precondition: %.*s, "
                            "ResourceVersion in object meta: %.*s",
                            STR_ARG(asked->resource_version), STR_ARG(meta->resource_version))
            .p;
    if (meta->deletion_timestamp.set)
        return arena_printf(a, "pod %.*s is being deleted, cannot be assigned to a host",
                            STR_ARG(meta->name))
            .p;
    if (pod->spec.node_name.len)
        return arena_printf(a, "pod %.*s is already assigned to node \"%.*s\"", STR_ARG(meta->name),
                            STR_ARG(pod->spec.node_name))
            .p;
    if (pod->spec.scheduling_gates.len)
        return arena_printf(a, "pod %.*s has non-empty .spec.schedulingGates", STR_ARG(meta->name))
            .p;
    return NULL;
}

static enum write_decision bind_decide(struct write *w)
{
    struct api_request *r = w->r;
    const struct core_v1_binding *binding = w->arg;
    struct object o = object_copy(r->arena, w->current);
    struct core_v1_pod *pod = o.data;
    const char *why = obstacle(w, pod, &binding->metadata);

    if (why)
        return conflict(w, why);
    pod->spec.node_name = binding->target.name;
    pod->status.nominated_node_name = STR_NULL;
    for (uint32_t i = 0; i < binding->metadata.annotations.len; i++)
        text_map_put(r->arena, &pod->metadata.annotations,
                     binding->metadata.annotations.items[i].key,
                     binding->metadata.annotations.items[i].value);
    pod_condition_set(
        r->arena, pod,
        &(struct core_v1_pod_condition){
            .type = STR("PodScheduled"),
            .status = STR("True"),
            .last_transition_time = { .sec = clock_wall_s(r->server->clock), .set = true },
        });
    w->updated = o;
    return WRITE_PUT;
}

static void bind_done(struct write *w)
{
    struct status ok = { .reason = STATUS_SUCCESS };

    if (w->decision == WRITE_REFUSED)
        api_respond_status(w->r, &w->refused);
    else
        api_respond_status_code(w->r, 201, &ok);
}

static bool check(struct api_request *r, struct core_v1_binding *b, struct str *ret_pod,
                  struct status *ret)
{
    struct field_path target = field_path_member(NULL, STR("target"));
    struct field_path kind = field_path_member(&target, STR("kind"));
    struct field_path name = field_path_member(&target, STR("name"));
    static const struct str kinds[] = { STR_INIT("Node") };
    struct field_errors errs;

    if (!system_fields_check_namespace(r, &b->metadata, ret))
        return false;
    *ret_pod = r->subresource ? r->info.name : b->metadata.name;
    if (b->metadata.name.len && !str_eq(b->metadata.name, *ret_pod)) {
        *ret = status_plain(r->arena, STATUS_BAD_REQUEST,
                            "name in URL does not match name in Binding object");
        return false;
    }
    field_errors_init(&errs, r->arena);
    if (b->target.kind.len && !str_eq(b->target.kind, kinds[0]))
        field_errors_add_unsupported(&errs, &kind, b->target.kind, kinds, 1);
    if (!b->target.name.len)
        field_errors_add(&errs, &name, FIELD_ERROR_REQUIRED, "%s", "");
    if (!errs.len && ret_pod->len)
        return true;
    *ret = errs.len ? status_invalid(r->arena, STR(""), STR("Binding"), *ret_pod, &errs)
                    : status_plain(r->arena, STATUS_BAD_REQUEST, "the Binding names no Pod");
    return false;
}

void pod_binding_create(struct api_request *r)
{
    struct write *w = ARENA_NEW(r->arena, struct write);
    struct object body;
    struct str pod;
    struct status s;

    if (!body_check_options(r, "CreateOptions", &s) || !body_decode(r, &body, &s) ||
        !check(r, body.data, &pod, &s)) {
        api_respond_status(r, &s);
        return;
    }
    r->resource = resource_find(STR(""), STR("v1"), STR("pods"));
    *w = (struct write){
        .r = r,
        .namespace = r->info.namespace,
        .name = pod,
        .decide = bind_decide,
        .done = bind_done,
        .arg = body.data,
    };
    write_run(w);
}
