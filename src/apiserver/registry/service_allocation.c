#include "apiserver/registry/service_allocation.h"

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/networking_v1.h"
#include "api/resource.h"
#include "api/rules.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/registry/system_fields.h"
#include "apiserver/registry/write.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/random.h"

enum {
    MAX_PROBES = 16384, /* keys looked at for one address: a range that full is taken for full */
    MAX_PORTS = 120,    /* node ports of one Service, so that a change fits one transaction */
};

/* One allocation under way. */
struct taking {
    struct write *w;
    struct api_request *r;
    const struct service_ranges *ranges;
    struct core_v1_service *svc;       /* NULL: it goes */
    const struct core_v1_service *old; /* NULL: it is new */
    struct status *refused;
    struct err err;
};

int service_ranges_parse(struct str cidrs, struct str ports, struct service_ranges *ret,
                         struct err *err)
{
    struct service_ranges r = { 0 };
    struct str cidr, first, last;
    int64_t a, b;

    while (str_next(&cidrs, ',', &cidr)) {
        if (r.n == ARRAY_LEN(r.ranges) || !ip_range_parse(str_trim(cidr), &r.ranges[r.n]))
            return err_set(err, ERR_INVALID, "'%.*s' is no range of Service addresses",
                           STR_ARG(cidr));
        r.n++;
    }
    if (!r.n || (r.n == 2 && r.ranges[0].bits == r.ranges[1].bits))
        return err_set(err, ERR_INVALID, "Service addresses need one range, or one of each family");
    if (!str_cut(ports, '-', &first, &last) || !str_to_i64(first, &a) || !str_to_i64(last, &b) ||
        a < 1 || b < a || b > 65535)
        return err_set(err, ERR_INVALID, "'%.*s' is no range of node ports", STR_ARG(ports));
    r.first_port = (int32_t)a;
    r.last_port = (int32_t)b;
    *ret = r;
    return 0;
}

const struct ip_range *service_ranges_of(const struct service_ranges *r, struct str family)
{
    for (size_t i = 0; i < r->n; i++)
        if (str_eq(ip_range_family(&r->ranges[i]), family))
            return &r->ranges[i];
    return NULL;
}

bool service_has_address(const struct core_v1_service *svc)
{
    return !str_eq(svc->spec.type, STR("ExternalName")) &&
           !str_eq(svc->spec.cluster_ip, STR("None"));
}

bool service_has_node_ports(const struct core_v1_service *svc)
{
    const bool *wanted = svc->spec.allocate_load_balancer_node_ports;

    return str_eq(svc->spec.type, STR("NodePort")) ||
           (str_eq(svc->spec.type, STR("LoadBalancer")) && (!wanted || *wanted));
}

bool service_has_health_port(const struct core_v1_service *svc)
{
    return str_eq(svc->spec.type, STR("LoadBalancer")) &&
           str_eq(svc->spec.external_traffic_policy, STR("Local"));
}

/* --- keys: is one taken, take it, give it back --- */

static bool fail(struct taking *t, int code)
{
    *t->refused = status_of_store(t->r->arena, code, &t->err);
    return false;
}

/* 1: there, with its revision; 0: free; negative: a failure. */
static int look_up(struct taking *t, uint16_t resource, struct str key, uint64_t *ret_revision)
{
    struct store_object so;
    int rc = store_get(t->w->snapshot, resource, key, &so, &t->err);

    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc >= 0)
        *ret_revision = so.mod_revision;
    return rc < 0 ? rc : 1;
}

static bool give_back(struct taking *t, uint16_t resource, struct str key)
{
    uint64_t revision = 0;
    int rc = look_up(t, resource, key, &revision);

    if (rc < 0)
        return fail(t, rc);
    if (rc)
        *write_add(t->w) = (struct store_mutation){
            .op = STORE_DELETE, .resource = resource, .key = key, .expected = revision
        };
    return true;
}

static uint16_t addresses_id(const struct taking *t)
{
    return registry_store_id(&t->r->server->registry,
                             stored_read_row(STR("networking.k8s.io"), STR("ipaddresses")));
}

static bool take_address(struct taking *t, struct str address)
{
    const struct resource *row = stored_read_row(STR("networking.k8s.io"), STR("ipaddresses"));
    const struct stored_reader reader = { &t->r->server->registry, t->w->snapshot, t->r->arena };
    struct object o = object_new(t->r->arena, &schema_builtin, row->type);
    struct networking_v1_ip_address *ip = o.data;
    struct networking_v1_parent_reference *parent =
        ARENA_NEW(t->r->arena, struct networking_v1_parent_reference);
    int rc;

    object_set_gvk(o, STR("networking.k8s.io/v1"), STR("IPAddress"));
    system_fields_on_create(t->r, &ip->metadata);
    ip->metadata.name = address;
    ip->metadata.generation = 0;
    text_map_put(t->r->arena, &ip->metadata.labels, STR("ipaddress.kubernetes.io/ip-family"),
                 ip_range_family_of(address));
    text_map_put(t->r->arena, &ip->metadata.labels, STR("ipaddress.kubernetes.io/managed-by"),
                 STR("ipallocator.k8s.io"));
    parent->resource = STR("services");
    parent->namespace = t->svc->metadata.namespace;
    parent->name = t->svc->metadata.name;
    ip->spec.parent_ref = parent;
    rc = stored_read_put(&reader, row, o, write_add(t->w), &t->err);
    return rc < 0 ? fail(t, rc) : true;
}

static bool take_port(struct taking *t, int32_t port)
{
    *write_add(t->w) = (struct store_mutation){
        .op = STORE_PUT,
        .resource = t->r->server->registry.node_ports_id,
        .key = arena_printf(t->r->arena, "%d", port),
        .expected = STORE_EXPECT_ABSENT,
        .head = arena_printf(t->r->arena, "{\"service\":\"%.*s/%.*s\",\"revision\":\"",
                             STR_ARG(t->svc->metadata.namespace), STR_ARG(t->svc->metadata.name)),
        .tail = STR("\"}"),
    };
    return true;
}

/* --- addresses --- */

static bool has_text(const struct str *items, size_t n, struct str s)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(items[i], s))
            return true;
    return false;
}

/* A free one from `from` on, probed at random first and then in order; unset: none was found. */
static int find_address(struct taking *t, const struct ip_range *range, struct str *ret)
{
    uint64_t size = ip_range_size(range), low = MIN(MAX(size / 16, (uint64_t)16), (uint64_t)256);
    uint64_t at, probes = MIN(size, (uint64_t)MAX_PROBES), revision;

    /* The lower part is left to those who choose their address, as long as there is another. */
    if (low >= size)
        low = 0;
    at = low + random_u64() % (size - low);
    for (uint64_t i = 0; i < probes; i++, at = at + 1 < size ? at + 1 : 1) {
        struct str address = ip_range_nth(t->r->arena, range, at);
        int rc;

        if (!ip_range_contains(range, address))
            continue;
        rc = look_up(t, addresses_id(t), address, &revision);
        if (rc < 0)
            return rc;
        if (!rc) {
            *ret = address;
            return 0;
        }
    }
    return 0;
}

static bool refuse_address(struct taking *t, struct str address, const char *why)
{
    struct field_path spec = field_path_member(NULL, STR("spec"));
    struct field_path path = field_path_member(&spec, STR("clusterIPs"));
    struct field_errors errs;

    field_errors_init(&errs, t->r->arena);
    field_errors_add_raw(
        &errs, &path, FIELD_ERROR_INVALID,
        rule_print_texts(t->r->arena, t->svc->spec.cluster_ips.items, t->svc->spec.cluster_ips.len),
        "failed to allocate IP %.*s: %s", STR_ARG(address), why);
    *t->refused =
        status_invalid(t->r->arena, STR(""), STR("Service"), t->svc->metadata.name, &errs);
    return false;
}

/* An address that the Service names and did not have. */
static bool take_named(struct taking *t, struct str address)
{
    const struct ip_range *range = service_ranges_of(t->ranges, ip_range_family_of(address));
    uint64_t revision;
    int rc;

    if (!range || !ip_range_contains(range, address)) {
        struct str valid = range ? ip_range_print(t->r->arena, range) : STR("");

        return refuse_address(t, address,
                              arena_printf(t->r->arena,
                                           "the provided IP (%.*s) is not in the valid range. The "
                                           "range of valid IPs is %.*s",
                                           STR_ARG(address), STR_ARG(valid))
                                  .p);
    }
    rc = look_up(t, addresses_id(t), address, &revision);
    if (rc < 0)
        return fail(t, rc);
    return rc ? refuse_address(t, address, "provided IP is already allocated")
              : take_address(t, address);
}

static bool take_any(struct taking *t, struct str family, struct str *ret)
{
    const struct ip_range *range = service_ranges_of(t->ranges, family);
    struct str address = STR_NULL;
    int rc = range ? find_address(t, range, &address) : 0;

    if (rc < 0)
        return fail(t, rc);
    if (!address.p) {
        *t->refused = status_internal(t->r->arena, "failed to allocate a serviceIP: range is full");
        return false;
    }
    *ret = address;
    return take_address(t, address);
}

static bool settle_addresses(struct taking *t)
{
    struct core_v1_service_spec *s = t->svc ? &t->svc->spec : NULL;
    const struct core_v1_service_spec *was =
        t->old && service_has_address(t->old) ? &t->old->spec : NULL;
    const struct str *had = was ? was->cluster_ips.items : NULL;
    size_t n_had = was ? was->cluster_ips.len : 0, n = 0;
    struct str *now = NULL;

    if (s && service_has_address(t->svc)) {
        n = MIN(MAX((size_t)s->cluster_ips.len, (size_t)s->ip_families.len), (size_t)2);
        now = ARENA_NEW_ARRAY(t->r->arena, struct str, n + 1);
    }
    for (size_t i = 0; i < n; i++) {
        if (i < s->cluster_ips.len && s->cluster_ips.items[i].len) {
            now[i] = ip_range_canonical(t->r->arena, s->cluster_ips.items[i]);
            if (!has_text(had, n_had, now[i]) && !take_named(t, now[i]))
                return false;
        } else if (!take_any(t, s->ip_families.items[i], &now[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < n_had; i++)
        if (!has_text(now, n, had[i]) && !give_back(t, addresses_id(t), had[i]))
            return false;
    if (n) {
        s->cluster_ips.items = now;
        s->cluster_ips.len = (uint32_t)n;
        s->cluster_ip = now[0];
    }
    return true;
}

/* --- node ports --- */

struct ports {
    int32_t items[MAX_PORTS];
    size_t n;
};

static bool has_port(const struct ports *p, int32_t port)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i] == port)
            return true;
    return false;
}

static bool add_port(struct ports *p, int32_t port)
{
    if (!port || has_port(p, port))
        return true;
    if (p->n == MAX_PORTS)
        return false;
    p->items[p->n++] = port;
    return true;
}

static void ports_of(const struct core_v1_service *svc, struct ports *ret)
{
    ret->n = 0;
    if (!svc)
        return;
    for (uint32_t i = 0; i < svc->spec.ports.len; i++)
        (void)add_port(ret, svc->spec.ports.items[i].node_port); /* was within when it was taken */
    (void)add_port(ret, svc->spec.health_check_node_port);
}

static bool refuse_port(struct taking *t, const struct field_path *path, int32_t port,
                        const char *why)
{
    struct field_errors errs;

    field_errors_init(&errs, t->r->arena);
    field_errors_add_raw(&errs, path, FIELD_ERROR_INVALID, arena_printf(t->r->arena, "%d", port),
                         "%s", why);
    *t->refused =
        status_invalid(t->r->arena, STR(""), STR("Service"), t->svc->metadata.name, &errs);
    return false;
}

static bool take_named_port(struct taking *t, const struct field_path *path, int32_t port)
{
    const struct service_ranges *r = t->ranges;
    uint64_t revision;
    int rc;

    if (port < r->first_port || port > r->last_port)
        return refuse_port(t, path, port,
                           arena_printf(t->r->arena,
                                        "provided port is not in the valid range. The range of "
                                        "valid ports is %d-%d",
                                        r->first_port, r->last_port)
                               .p);
    rc = look_up(t, t->r->server->registry.node_ports_id, arena_printf(t->r->arena, "%d", port),
                 &revision);
    if (rc < 0)
        return fail(t, rc);
    return rc ? refuse_port(t, path, port, "provided port is already allocated")
              : take_port(t, port);
}

static bool take_any_port(struct taking *t, const struct ports *now, int32_t *ret)
{
    int32_t size = t->ranges->last_port - t->ranges->first_port + 1;
    int32_t low = MIN(MAX(size / 32, 16), 128), at;
    uint64_t revision;

    if (low >= size)
        low = 0;
    at = low + (int32_t)(random_u64() % (uint64_t)(size - low));
    for (int32_t i = 0; i < size; i++, at = at + 1 < size ? at + 1 : 0) {
        int32_t port = t->ranges->first_port + at;
        int rc;

        if (has_port(now, port))
            continue;
        rc = look_up(t, t->r->server->registry.node_ports_id, arena_printf(t->r->arena, "%d", port),
                     &revision);
        if (rc < 0)
            return fail(t, rc);
        if (!rc) {
            *ret = port;
            return take_port(t, port);
        }
    }
    *t->refused = status_internal(t->r->arena, "failed to allocate a nodePort: range is full");
    return false;
}

/* One place for a port: what it names is taken unless the Service had it, and 0 is chosen. */
static bool settle_port(struct taking *t, const struct field_path *path, const struct ports *had,
                        struct ports *now, int32_t *place)
{
    bool known = *place && (has_port(had, *place) || has_port(now, *place));

    if (*place && !known && !take_named_port(t, path, *place))
        return false;
    if (!*place && !take_any_port(t, now, place))
        return false;
    return add_port(now, *place) || refuse_port(t, path, *place, "too many node ports");
}

static bool settle_ports(struct taking *t)
{
    struct field_path spec = field_path_member(NULL, STR("spec"));
    struct field_path list = field_path_member(&spec, STR("ports"));
    struct field_path health = field_path_member(&spec, STR("healthCheckNodePort"));
    struct ports had, now = { .n = 0 };

    ports_of(t->old, &had);
    for (uint32_t i = 0; t->svc && i < t->svc->spec.ports.len; i++) {
        struct field_path item = field_path_index(&list, i);
        struct field_path path = field_path_member(&item, STR("nodePort"));
        int32_t *place = &t->svc->spec.ports.items[i].node_port;

        if ((*place || service_has_node_ports(t->svc)) && !settle_port(t, &path, &had, &now, place))
            return false;
    }
    if (t->svc && service_has_health_port(t->svc) &&
        !settle_port(t, &health, &had, &now, &t->svc->spec.health_check_node_port))
        return false;
    for (size_t i = 0; i < had.n; i++)
        if (!has_port(&now, had.items[i]) &&
            !give_back(t, t->r->server->registry.node_ports_id,
                       arena_printf(t->r->arena, "%d", had.items[i])))
            return false;
    return true;
}

bool service_allocation_transact(struct write *w, struct status *ret)
{
    struct taking t = {
        .w = w,
        .r = w->r,
        .ranges = &w->r->server->service_ranges,
        .svc = w->decision == WRITE_PUT ? w->updated.data : NULL,
        .old = w->current.data,
        .refused = ret,
    };

    return settle_addresses(&t) && settle_ports(&t);
}
