#include "kubelet/pod_field.h"

#include "api/core_v1.h"
#include "api/quantity.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

const struct core_v1_container *pod_find_container(const struct core_v1_pod *pod, struct str name)
{
    const struct core_v1_pod_spec *s = &pod->spec;

    for (uint32_t i = 0; i < s->containers.len; i++)
        if (str_eq(s->containers.items[i].name, name))
            return &s->containers.items[i];
    for (uint32_t i = 0; i < s->init_containers.len; i++)
        if (str_eq(s->init_containers.items[i].name, name))
            return &s->init_containers.items[i];
    return NULL;
}

/* A text in double quotes with backslash escapes, as such files have it. */
static void append_quoted(struct buf *b, struct str text)
{
    static const char names[] = "abtnvfr"; /* of 7 to 13 */

    buf_append_char(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c >= 7 && c <= 13)
            buf_printf(b, "\\%c", names[c - 7]);
        else if (c < ' ' || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_append_char(b, (char)c);
    }
    buf_append_char(b, '"');
}

static struct str map_lines(struct arena *a, const void *map)
{
    struct buf b;

    buf_init_arena(&b, a, 256);
    for (uint32_t i = 0; i < text_map_len(map); i++) {
        const struct schema_str_entry *e = &text_map_items(map)[i];

        if (i)
            buf_append_char(&b, '\n');
        buf_append_str(&b, e->key);
        buf_append_char(&b, '=');
        append_quoted(&b, e->value);
    }
    return buf_str(&b);
}

/* metadata.labels['key'] */
static bool subscript(struct str path, struct str name, struct str *ret_key)
{
    if (!str_has_prefix(path, name) || !str_has_suffix(path, STR("']")))
        return false;
    path = str_sub(path, name.len, path.len - 2);
    if (!str_has_prefix(path, STR("['")))
        return false;
    *ret_key = str_tail(path, 2);
    return true;
}

static struct str joined(struct arena *a, const struct runtime_strs *list)
{
    struct buf b;

    buf_init_arena(&b, a, 64);
    for (size_t i = 0; i < list->len; i++) {
        if (i)
            buf_append_char(&b, ',');
        buf_append_str(&b, list->items[i]);
    }
    return buf_str(&b);
}

static struct runtime_strs status_ips(struct arena *a, const struct core_v1_pod *pod)
{
    uint32_t n = pod->status.pod_ips.len;
    struct str *ips = ARENA_NEW_ARRAY(a, struct str, MAX(n, 1U));

    for (uint32_t i = 0; i < n; i++)
        ips[i] = pod->status.pod_ips.items[i].ip;
    if (!n && pod->status.pod_ip.len)
        ips[n++] = pod->status.pod_ip;
    return (struct runtime_strs){ ips, n };
}

static bool metadata_value(struct arena *a, const struct core_v1_pod *pod, struct str path,
                           struct str *ret)
{
    const struct meta_v1_object_meta *m = &pod->metadata;
    const struct schema_str_entry *e;
    struct str key;

    if (str_eq(path, STR("metadata.name")))
        *ret = m->name;
    else if (str_eq(path, STR("metadata.namespace")))
        *ret = m->namespace;
    else if (str_eq(path, STR("metadata.uid")))
        *ret = m->uid;
    else if (str_eq(path, STR("metadata.labels")))
        *ret = map_lines(a, &m->labels);
    else if (str_eq(path, STR("metadata.annotations")))
        *ret = map_lines(a, &m->annotations);
    else if (subscript(path, STR("metadata.labels"), &key))
        *ret = (e = text_map_find(&m->labels, key)) ? e->value : STR("");
    else if (subscript(path, STR("metadata.annotations"), &key))
        *ret = (e = text_map_find(&m->annotations, key)) ? e->value : STR("");
    else
        return false;
    return true;
}

int pod_field_value(struct arena *a, const struct core_v1_pod *pod, const struct pod_node *node,
                    const struct runtime_strs *pod_ips, struct str path, struct str *ret,
                    struct err *err)
{
    struct runtime_strs ips = pod_ips && pod_ips->len ? *pod_ips : status_ips(a, pod);

    if (metadata_value(a, pod, path, ret))
        return 0;
    if (str_eq(path, STR("spec.nodeName")))
        *ret = pod->spec.node_name.len ? pod->spec.node_name : node->name;
    else if (str_eq(path, STR("spec.serviceAccountName")))
        *ret = pod->spec.service_account_name;
    else if (str_eq(path, STR("status.hostIP")))
        *ret = node->host_ip;
    else if (str_eq(path, STR("status.hostIPs")))
        *ret = node->host_ips.len ? joined(a, &node->host_ips) : node->host_ip;
    else if (str_eq(path, STR("status.podIP")))
        *ret = ips.len ? ips.items[0] : STR("");
    else if (str_eq(path, STR("status.podIPs")))
        *ret = joined(a, &ips);
    else
        return err_set(err, ERR_INVALID, "unsupported fieldPath: %.*s", STR_ARG(path));
    return 0;
}

/* --- resources --- */

static bool amount_of(const void *list, struct str name, struct quantity *ret)
{
    const struct schema_str_entry *e = text_map_find(list, name);

    return e && quantity_parse(e->value, ret);
}

static int64_t divided_up(int64_t value, int64_t by)
{
    return by <= 0 ? value : value / by + (value % by > 0);
}

static int64_t node_amount(const struct pod_node *node, struct str name, bool is_milli)
{
    if (is_milli)
        return node->allocatable_cpu_milli;
    if (str_eq(name, STR("memory")))
        return node->allocatable_memory_bytes;
    if (str_eq(name, STR("ephemeral-storage")))
        return node->allocatable_ephemeral_bytes;
    return 0;
}

int pod_field_resource(struct arena *a, const struct core_v1_pod *pod, const struct pod_node *node,
                       const struct core_v1_container *own,
                       const struct core_v1_resource_field_selector *selector, struct str *ret,
                       struct err *err)
{
    const struct core_v1_container *c =
        selector->container_name.len ? pod_find_container(pod, selector->container_name) : own;
    struct quantity q, divisor;
    struct str kind, name;
    bool is_limit, is_milli;
    int64_t amount;

    if (!c)
        return err_set(err, ERR_INVALID, "container %.*s not found",
                       STR_ARG(selector->container_name));
    if (!str_cut(selector->resource, '.', &kind, &name) ||
        (!str_eq(kind, STR("limits")) && !str_eq(kind, STR("requests"))))
        return err_set(err, ERR_INVALID, "unsupported container resource : %.*s",
                       STR_ARG(selector->resource));
    is_limit = str_eq(kind, STR("limits"));
    is_milli = str_eq(name, STR("cpu"));
    if (!selector->divisor.len || !quantity_parse(selector->divisor, &divisor) || !divisor.nano)
        (void)quantity_parse(STR("1"), &divisor); /* it is one */
    if (is_limit ? amount_of(&c->resources.limits, name, &q)
                 : amount_of(&c->resources.requests, name, &q))
        amount = is_milli ? quantity_milli_value(q) : quantity_value(q);
    else
        amount = is_limit ? node_amount(node, name, is_milli) : 0;
    amount = divided_up(amount, is_milli ? quantity_milli_value(divisor) : quantity_value(divisor));
    *ret = arena_printf(a, "%lld", (long long)amount);
    return 0;
}
