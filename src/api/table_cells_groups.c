/* Cells of the named groups: jobs, autoscalers, ingresses, endpoint slices, bindings, certificates,
 * ... */
#include "api/apiregistration_v1.h"
#include "api/autoscaling_v2.h"
#include "api/batch_v1.h"
#include "api/certificates_v1.h"
#include "api/discovery_v1.h"
#include "api/flowcontrol_v1.h"
#include "api/meta_v1.h"
#include "api/networking_v1.h"
#include "api/object_path.h"
#include "api/rbac_v1.h"
#include "api/resource_v1.h"
#include "api/schema.h"
#include "api/storage_v1.h"
#include "api/table_cells.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/time_text.h"

enum { SHOWN = 3 }; /* of long lists, then " + N more..." */

static void more(struct cell *c, size_t total, size_t shown)
{
    if (total > shown)
        buf_printf(c->b, " + %zu more...", total - shown);
}

static void lower(struct cell *c, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_append_char(c->b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
}

/* --- batch --- */

static bool job_condition(const struct batch_v1_job *j, struct str type)
{
    for (uint32_t i = 0; i < j->status.conditions.len; i++) {
        if (str_eq(j->status.conditions.items[i].type, type) &&
            str_eq(j->status.conditions.items[i].status, STR("True")))
            return true;
    }
    return false;
}

static void job_status(struct cell *c)
{
    const struct batch_v1_job *j = c->o.data;
    static const struct str late[] = { STR_INIT("Suspended"), STR_INIT("FailureTarget"),
                                       STR_INIT("SuccessCriteriaMet") };

    if (job_condition(j, STR("Complete"))) {
        cell_text(c, STR("Complete"));
        return;
    }
    if (job_condition(j, STR("Failed"))) {
        cell_text(c, STR("Failed"));
        return;
    }
    if (j->metadata.deletion_timestamp.set) {
        cell_text(c, STR("Terminating"));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(late); i++) {
        if (job_condition(j, late[i])) {
            cell_text(c, late[i]);
            return;
        }
    }
    cell_text(c, STR("Running"));
}

static void job_completions(struct cell *c)
{
    const struct batch_v1_job *j = c->o.data;
    int32_t parallel = j->spec.parallelism ? *j->spec.parallelism : 0;

    if (j->spec.completions)
        buf_printf(c->b, "%d/%d", j->status.succeeded, *j->spec.completions);
    else if (parallel > 1)
        buf_printf(c->b, "%d/1 of %d", j->status.succeeded, parallel);
    else
        buf_printf(c->b, "%d/1", j->status.succeeded);
}

static void job_duration(struct cell *c)
{
    const struct batch_v1_job *j = c->o.data;

    if (j->status.start_time.set)
        time_text_print_age(
            c->b, (j->status.completion_time.set ? j->status.completion_time.sec : c->now_s) -
                      j->status.start_time.sec);
}

/* A text, unlike other booleans: "True". */
static void cron_job_suspend(struct cell *c)
{
    const bool *suspend = ((const struct batch_v1_cron_job *)c->o.data)->spec.suspend;

    cell_text(c, !suspend ? STR("<unset>") : *suspend ? STR("True") : STR("False"));
}

/* --- autoscaling --- */

/* CURRENT/TARGET of one metric; value is a quantity, an average, or a utilisation in percent. */
static void target_pair(struct cell *c, struct str current, struct str target, const char *suffix)
{
    buf_printf(c->b, "%.*s/%.*s%s", STR_ARG(current.len ? current : STR("<unknown>")),
               STR_ARG(target), suffix);
}

static void resource_target(struct cell *c, struct str name,
                            const struct autoscaling_v2_metric_target *target,
                            const struct autoscaling_v2_metric_value_status *current)
{
    struct arena *a = c->arena;
    struct str now = STR(""), want = STR("<auto>");

    buf_printf(c->b, "%.*s: ", STR_ARG(name));
    if (target->average_value.p) {
        target_pair(c, current ? current->average_value : STR(""), target->average_value, "");
        return;
    }
    if (current && current->average_utilization)
        now = arena_printf(a, "%d%%", *current->average_utilization);
    if (target->average_utilization)
        want = arena_printf(a, "%d%%", *target->average_utilization);
    target_pair(c, now, want, "");
}

static void value_target(struct cell *c, const struct autoscaling_v2_metric_target *target,
                         const struct autoscaling_v2_metric_value_status *current)
{
    if (target->average_value.p)
        target_pair(c, current ? current->average_value : STR(""), target->average_value, " (avg)");
    else
        target_pair(c, current ? current->value : STR(""), target->value, "");
}

static void metric(struct cell *c, const struct autoscaling_v2_metric_spec *m,
                   const struct autoscaling_v2_metric_status *s)
{
    if (m->resource)
        resource_target(c, m->resource->name, &m->resource->target,
                        s && s->resource ? &s->resource->current : NULL);
    else if (m->container_resource)
        resource_target(c, m->container_resource->name, &m->container_resource->target,
                        s && s->container_resource ? &s->container_resource->current : NULL);
    else if (m->pods)
        target_pair(c, s && s->pods ? s->pods->current.average_value : STR(""),
                    m->pods->target.average_value, "");
    else if (m->object)
        value_target(c, &m->object->target, s && s->object ? &s->object->current : NULL);
    else if (m->external)
        value_target(c, &m->external->target, s && s->external ? &s->external->current : NULL);
    else
        cell_text(c, STR("<unknown type>"));
}

/* Both versions are printed from v2's form where the object has it; v1 knows processor load alone.
 */
static void hpa_targets(struct cell *c)
{
    const struct autoscaling_v2_horizontal_pod_autoscaler *h = c->o.data;
    const char *version = schema_cstr(c->o.schema, c->o.type->version);
    enum { METRICS_SHOWN = 2 };

    if (!str_eq(str_from_cstr(version), STR("v2"))) {
        if (!object_path_print(c->b, c->o, STR("status.currentCPUUtilizationPercentage")))
            cell_text(c, STR("<unknown>"));
        cell_text(c, STR("%/"));
        if (!object_path_print(c->b, c->o, STR("spec.targetCPUUtilizationPercentage")))
            cell_text(c, STR("<auto>"));
        return;
    }
    for (uint32_t i = 0; i < h->spec.metrics.len && i < METRICS_SHOWN; i++) {
        if (i)
            cell_text(c, STR(", "));
        metric(c, &h->spec.metrics.items[i],
               i < h->status.current_metrics.len ? &h->status.current_metrics.items[i] : NULL);
    }
    if (!h->spec.metrics.len)
        cell_text(c, STR("<none>"));
    more(c, h->spec.metrics.len, METRICS_SHOWN);
}

/* --- networking and discovery --- */

static void ingress_hosts(struct cell *c)
{
    const struct networking_v1_ingress *g = c->o.data;
    size_t begin = c->b->len;

    for (uint32_t i = 0; i < g->spec.rules.len && i < SHOWN; i++) {
        if (g->spec.rules.items[i].host.len)
            cell_join(c, begin, g->spec.rules.items[i].host);
    }
    if (c->b->len == begin)
        cell_text(c, STR("*"));
    more(c, g->spec.rules.len, SHOWN);
}

static void ingress_address(struct cell *c)
{
    const struct networking_v1_ingress *g = c->o.data;
    size_t begin = c->b->len;

    for (uint32_t i = 0; i < g->status.load_balancer.ingress.len; i++) {
        const struct networking_v1_ingress_load_balancer_ingress *x =
            &g->status.load_balancer.ingress.items[i];

        if (x->ip.len || x->hostname.len)
            cell_join(c, begin, x->ip.len ? x->ip : x->hostname);
    }
}

static void ingress_ports(struct cell *c)
{
    const struct networking_v1_ingress *g = c->o.data;

    cell_text(c, g->spec.tls.len ? STR("80, 443") : STR("80"));
}

static void ingressclass_parameters(struct cell *c)
{
    const struct networking_v1_ingress_class_parameters_reference *p =
        ((const struct networking_v1_ingress_class *)c->o.data)->spec.parameters;

    if (!p) {
        cell_text(c, STR("<none>"));
        return;
    }
    cell_text(c, p->kind);
    if (p->api_group.len)
        buf_printf(c->b, ".%.*s", STR_ARG(p->api_group));
    buf_printf(c->b, "/%.*s", STR_ARG(p->name));
}

static void ipaddress_parentref(struct cell *c)
{
    const struct networking_v1_parent_reference *p =
        ((const struct networking_v1_ip_address *)c->o.data)->spec.parent_ref;

    if (!p) {
        cell_text(c, STR("<none>"));
        return;
    }
    lower(c, p->resource);
    if (p->group.len)
        buf_printf(c->b, ".%.*s", STR_ARG(p->group));
    if (p->namespace.len)
        buf_printf(c->b, "/%.*s", STR_ARG(p->namespace));
    buf_printf(c->b, "/%.*s", STR_ARG(p->name));
}

static void endpointslice_ports(struct cell *c)
{
    const struct discovery_v1_endpoint_slice *s = c->o.data;
    size_t begin = c->b->len;

    for (uint32_t i = 0; i < s->ports.len && i < SHOWN; i++) {
        const struct discovery_v1_endpoint_port *p = &s->ports.items[i];

        cell_join(c, begin,
                  p->port       ? arena_printf(c->arena, "%d", *p->port)
                  : p->name.len ? p->name
                                : STR("*"));
    }
    if (!s->ports.len)
        cell_text(c, STR("<unset>"));
    more(c, s->ports.len, SHOWN);
}

static void endpointslice_endpoints(struct cell *c)
{
    const struct discovery_v1_endpoint_slice *s = c->o.data;
    size_t begin = c->b->len, total = 0;

    for (uint32_t i = 0; i < s->endpoints.len; i++) {
        for (uint32_t k = 0; k < s->endpoints.items[i].addresses.len; k++) {
            if (total++ < SHOWN)
                cell_join(c, begin, s->endpoints.items[i].addresses.items[k]);
        }
    }
    if (!total)
        cell_text(c, STR("<unset>"));
    more(c, total, SHOWN);
}

/* --- rbac: RoleBinding and ClusterRoleBinding lie alike where it matters; found by path --- */

static void subjects(struct cell *c)
{
    const struct schema_field *f;
    const struct schema_list *l = object_path_at(c->o, STR("subjects"), &f);
    const struct rbac_v1_subject *s = l ? l->items : NULL;
    bool accounts = str_eq(c->argument, STR("ServiceAccount")), first = true;

    for (uint32_t i = 0; l && i < l->len; i++) {
        if (!str_eq(s[i].kind, c->argument))
            continue;
        if (!first)
            cell_text(c, STR(", "));
        first = false;
        if (accounts)
            buf_printf(c->b, "%.*s/", STR_ARG(s[i].namespace));
        cell_text(c, s[i].name);
    }
}

/* --- certificates, flow control, storage, registration, resources --- */

static void csr_duration(struct cell *c)
{
    const struct certificates_v1_certificate_signing_request *r = c->o.data;

    if (r->spec.expiration_seconds)
        time_text_print_age(c->b, *r->spec.expiration_seconds);
    else
        cell_text(c, STR("<none>"));
}

static bool csr_condition(const struct certificates_v1_certificate_signing_request *r,
                          struct str type)
{
    for (uint32_t i = 0; i < r->status.conditions.len; i++) {
        if (str_eq(r->status.conditions.items[i].type, type))
            return true;
    }
    return false;
}

static void csr_state(struct cell *c)
{
    const struct certificates_v1_certificate_signing_request *r = c->o.data;

    cell_text(c, csr_condition(r, STR("Denied"))     ? STR("Denied")
                 : csr_condition(r, STR("Approved")) ? STR("Approved")
                                                     : STR("Pending"));
    if (csr_condition(r, STR("Failed")))
        cell_text(c, STR(",Failed"));
    if (r->status.certificate.len)
        cell_text(c, STR(",Issued"));
}

static void flowschema_missing(struct cell *c)
{
    const struct flowcontrol_v1_flow_schema *s = c->o.data;

    for (uint32_t i = 0; i < s->status.conditions.len; i++) {
        if (str_eq(s->status.conditions.items[i].type, STR("Dangling"))) {
            cell_text(c, s->status.conditions.items[i].status);
            return;
        }
    }
    cell_text(c, STR("?"));
}

static void csidriver_tokens(struct cell *c)
{
    const struct storage_v1_csi_driver *d = c->o.data;
    size_t begin = c->b->len;

    for (uint32_t i = 0; i < d->spec.token_requests.len; i++)
        cell_join(c, begin, d->spec.token_requests.items[i].audience);
    if (!d->spec.token_requests.items)
        cell_text(c, STR("<unset>"));
}

static void apiservice_service(struct cell *c)
{
    const struct apiregistration_v1_service_reference *s =
        ((const struct apiregistration_v1_api_service *)c->o.data)->spec.service;

    if (s)
        buf_printf(c->b, "%.*s/%.*s", STR_ARG(s->namespace), STR_ARG(s->name));
    else
        cell_text(c, STR("Local"));
}

static void apiservice_available(struct cell *c)
{
    const struct apiregistration_v1_api_service *s = c->o.data;

    for (uint32_t i = 0; i < s->status.conditions.len; i++) {
        const struct apiregistration_v1_api_service_condition *x = &s->status.conditions.items[i];

        if (!str_eq(x->type, STR("Available")))
            continue;
        cell_text(c, x->status);
        if (!str_eq(x->status, STR("True")) && x->reason.len)
            buf_printf(c->b, " (%.*s)", STR_ARG(x->reason));
        return;
    }
    cell_text(c, STR("Unknown"));
}

static void controllerrevision_controller(struct cell *c)
{
    const struct meta_v1_object_meta *m = object_meta(c->o);

    for (uint32_t i = 0; i < m->owner_references.len; i++) {
        const struct meta_v1_owner_reference *o = &m->owner_references.items[i];
        struct str group, version;

        if (!o->controller || !*o->controller)
            continue;
        lower(c, o->kind);
        if (str_cut(o->api_version, '/', &group, &version))
            buf_printf(c->b, ".%.*s", STR_ARG(group));
        buf_printf(c->b, "/%.*s", STR_ARG(o->name));
        return;
    }
    cell_text(c, STR("<none>"));
}

static void resourceclaim_state(struct cell *c)
{
    const struct resource_v1_resource_claim *r = c->o.data;
    bool deleted = r->metadata.deletion_timestamp.set;
    size_t begin = c->b->len;

    if (deleted)
        cell_join(c, begin, STR("deleted"));
    if (!r->status.allocation) {
        if (!deleted)
            cell_join(c, begin, STR("pending"));
        return;
    }
    cell_join(c, begin, STR("allocated"));
    if (r->status.reserved_for.len)
        cell_join(c, begin, STR("reserved"));
}

/* Policy bindings: NAMESPACE/NAME, "*" for every namespace. */
static void param_ref(struct cell *c)
{
    size_t begin = c->b->len;

    if (!object_path_print(c->b, c->o, STR("spec.paramRef.name"))) {
        c->b->len = begin;
        cell_text(c, STR("<unset>"));
        return;
    }
    c->b->len = begin;
    if (!object_path_print(c->b, c->o, STR("spec.paramRef.namespace"))) {
        c->b->len = begin;
        cell_text(c, STR("*"));
    }
    cell_text(c, STR("/"));
    (void)object_path_print(c->b, c->o, STR("spec.paramRef.name")); /* it is there */
}

const struct cell_row table_cells_groups[] = {
    { STR_INIT("cron_job_suspend"), cron_job_suspend },
    { STR_INIT("job_status"), job_status },
    { STR_INIT("job_completions"), job_completions },
    { STR_INIT("job_duration"), job_duration },
    { STR_INIT("horizontalpodautoscaler_targets"), hpa_targets },
    { STR_INIT("ingress_hosts"), ingress_hosts },
    { STR_INIT("ingress_address"), ingress_address },
    { STR_INIT("ingress_ports"), ingress_ports },
    { STR_INIT("ingressclass_parameters"), ingressclass_parameters },
    { STR_INIT("ipaddress_parentref"), ipaddress_parentref },
    { STR_INIT("endpointslice_ports"), endpointslice_ports },
    { STR_INIT("endpointslice_endpoints"), endpointslice_endpoints },
    { STR_INIT("subjects"), subjects },
    { STR_INIT("certificatesigningrequest_requestedduration"), csr_duration },
    { STR_INIT("certificatesigningrequest_condition"), csr_state },
    { STR_INIT("flowschema_missingpl"), flowschema_missing },
    { STR_INIT("csidriver_tokenrequests"), csidriver_tokens },
    { STR_INIT("apiservice_service"), apiservice_service },
    { STR_INIT("apiservice_available"), apiservice_available },
    { STR_INIT("controllerrevision_controller"), controllerrevision_controller },
    { STR_INIT("resourceclaim_state"), resourceclaim_state },
    { STR_INIT("param_ref"), param_ref },
    { { 0 }, NULL },
};
