/* The Node object: made when it is not there, its status told when something of it changes and
 * every five minutes; and its Lease, renewed every ten seconds. Of the status only our own parts
 * are written, so that what others put there (extended resources) stays. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/event_recorder.h"
#include "client/informer.h"
#include "client/rest_client.h"
#include "cni/cni_network.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/manifest/mirror_pods.h"
#include "kubelet/node/node_pressure.h"
#include "runtime/runtime_files.h"

enum {
    STATUS_PERIOD_MS = 300000,
    LEASE_PERIOD_MS = 10000,
    LEASE_SECONDS = 40,
    RETRY_MS = 200,
    RETRY_MAX_MS = 7000,
    MAX_IMAGES = 50, /* as upstream shows */
    MAX_NAMES = 5,
};

struct node_agent {
    struct kubelet *k;
    struct informer *nodes;
    const struct api_object *node; /* NULL: there is none yet */
    struct rest_call *call, *lease_call;
    struct loop_timer timer, lease_timer;
    struct loop_task task;
    int64_t retry_ms;
    int64_t told_at_ms; /* 0: never */
    char *told;         /* what matters of the last status */
    char *images;       /* JSON of what is in the store; NULL: not known */
    struct runtime_call *images_call;
    bool is_known; /* the Node was seen, its labels looked at */
    bool was_ready, was_told_ready;
    struct node_pressure pressure;
    bool pressure_told[PRESSURE_KINDS];
    bool is_leasing, has_lease, has_ranges, is_wanted;
};

/* --- what the machine is --- */

static struct str first_line(struct arena *a, const char *path)
{
    struct str text = STR_NULL, line = STR("");
    struct err err;

    if (runtime_files_read(a, AT_FDCWD, path, 65536, &text, &err) == 0)
        (void)str_next(&text, '\n', &line);
    return str_trim(line);
}

static struct str os_name(struct arena *a)
{
    struct str text = STR_NULL, line;
    struct err err;

    if (runtime_files_read(a, AT_FDCWD, "/etc/os-release", 65536, &text, &err) < 0)
        return STR("Linux");
    while (str_next(&text, '\n', &line))
        if (str_has_prefix(line, STR("PRETTY_NAME=\"")) && line.len > 14)
            return str_sub(line, 13, line.len - 1);
    return STR("Linux");
}

static const char *architecture(const struct utsname *u)
{
    if (!strcmp(u->machine, "x86_64"))
        return "amd64";
    return !strcmp(u->machine, "aarch64") ? "arm64" : u->machine;
}

static void put(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "\"%s\":", name);
    json_write_string(b, value);
}

static void put_info(struct arena *a, struct buf *b, const struct kubelet *k)
{
    struct utsname u;

    (void)uname(&u);
    buf_append_lit(b, "\"nodeInfo\":{");
    put(b, "machineID", first_line(a, "/etc/machine-id"));
    buf_append_char(b, ',');
    put(b, "systemUUID", first_line(a, "/sys/class/dmi/id/product_uuid"));
    buf_append_char(b, ',');
    put(b, "bootID", first_line(a, "/proc/sys/kernel/random/boot_id"));
    buf_append_char(b, ',');
    put(b, "kernelVersion", str_from_cstr(u.release));
    buf_append_char(b, ',');
    put(b, "osImage", os_name(a));
    buf_append_char(b, ',');
    put(b, "containerRuntimeVersion",
        arena_printf(a, "%s://%s", k->runtime->ops->name, k->runtime->ops->version(k->runtime)));
    buf_append_lit(b, ",\"kubeletVersion\":\"v1.36.0\",\"kubeProxyVersion\":\"\","
                      "\"operatingSystem\":\"linux\",");
    put(b, "architecture", str_from_cstr(architecture(&u)));
    buf_append_lit(b, "},");
}

static const char *const own_resources[] = { "cpu",           "memory",        "ephemeral-storage",
                                             "hugepages-1Gi", "hugepages-2Mi", "pods" };

static bool is_own_resource(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(own_resources); i++)
        if (str_eq(str_from_cstr(own_resources[i]), name))
            return true;
    return false;
}

/* What others have put into capacity can be allocated; what they took away again can not. */
static void put_extended(struct buf *b, const struct core_v1_node *node)
{
    for (uint32_t i = 0; i < node->status.capacity.len; i++) {
        const struct schema_str_entry *e = &node->status.capacity.items[i];

        if (is_own_resource(e->key))
            continue;
        buf_append_char(b, ',');
        json_write_string(b, e->key);
        buf_append_char(b, ':');
        json_write_string(b, e->value);
    }
    for (uint32_t i = 0; i < node->status.allocatable.len; i++) {
        struct str name = node->status.allocatable.items[i].key;

        if (is_own_resource(name) || text_map_find(&node->status.capacity, name))
            continue;
        buf_append_char(b, ',');
        json_write_string(b, name);
        buf_append_lit(b, ":null");
    }
}

static void put_resources(struct buf *b, const struct node_agent *n)
{
    const struct kubelet *k = n->k;
    struct statvfs fs;
    unsigned long long disk = 0;
    struct buf own = { 0 };

    if (statvfs(k->o->root_directory, &fs) == 0)
        disk = (unsigned long long)fs.f_blocks * fs.f_frsize;
    buf_printf(&own,
               "{\"cpu\":\"%d\",\"memory\":\"%lldKi\",\"ephemeral-storage\":\"%lluKi\","
               "\"hugepages-1Gi\":\"0\",\"hugepages-2Mi\":\"0\",\"pods\":\"%u\"",
               get_nprocs(), (long long)k->config.memory_bytes / 1024, disk / 1024, k->o->max_pods);
    buf_printf(b, "\"capacity\":%.*s},\"allocatable\":%.*s", STR_ARG(buf_str(&own)),
               STR_ARG(buf_str(&own)));
    if (n->node)
        put_extended(b, API_OBJECT(n->node, struct core_v1_node));
    buf_append_lit(b, "},");
    buf_done(&own);
}

/* --- images --- */

static void put_names(struct buf *b, const struct runtime_strs *names, size_t *n)
{
    for (size_t i = 0; i < names->len && *n < MAX_NAMES; i++, (*n)++) {
        if (*n)
            buf_append_char(b, ',');
        json_write_string(b, names->items[i]);
    }
}

static int by_size(const void *a, const void *b)
{
    const struct runtime_image *x = a, *y = b;

    if (x->size_bytes != y->size_bytes)
        return x->size_bytes < y->size_bytes ? 1 : -1;
    return str_cmp(x->id, y->id);
}

/* The largest ones, as the scheduler would rather have them where they are. */
static void on_images(const struct runtime_result *res, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct node_agent *n = arg;
    struct runtime_image *all;
    struct buf b;

    n->images_call = NULL;
    if (res->code < 0)
        return;
    all = ARENA_NEW_ARRAY(&a, struct runtime_image, res->n_images);
    for (size_t i = 0; i < res->n_images; i++)
        all[i] = res->images[i];
    if (res->n_images)
        qsort(all, res->n_images, sizeof(*all), by_size);
    buf_init_arena(&b, &a, 1024);
    buf_append_char(&b, '[');
    for (size_t i = 0; i < MIN(res->n_images, (size_t)MAX_IMAGES); i++) {
        size_t names = 0;

        buf_printf(&b, "%s{\"names\":[", i ? "," : "");
        put_names(&b, &all[i].digests, &names);
        put_names(&b, &all[i].tags, &names);
        buf_printf(&b, "],\"sizeBytes\":%llu}", (unsigned long long)all[i].size_bytes);
    }
    buf_append_char(&b, ']');
    mem_free(n->images);
    n->images = str_heap_cstr(buf_str(&b));
    node_agent_wake(n);
}

void node_agent_look_at_images(struct node_agent *n)
{
    if (!n->images_call)
        n->images_call = n->k->runtime->ops->list_images(n->k->runtime, on_images, n);
}

/* --- Events --- */

static void event(const struct node_agent *n, const char *reason)
{
    /* Upstream's kubelets give the name for the uid, and kubectl looks for that. */
    struct event_reference about = { .api_version = STR("v1"),
                                     .kind = STR("Node"),
                                     .name = n->k->node.name,
                                     .uid = n->k->node.name };

    if (strcmp(reason, "Starting") == 0)
        event_recorder_event(n->k->events, &about, "Normal", STR("Starting"), "Starting kubelet.");
    else
        event_recorder_event(n->k->events, &about, "Normal", str_from_cstr(reason),
                             "Node %.*s status is now: %s", STR_ARG(n->k->node.name), reason);
}

/* What it is called when there is none and when there is. */
static const struct pressure_words {
    const char *type, *events[2], *reasons[2], *messages[2];
} pressure_words[PRESSURE_KINDS] = {
    [PRESSURE_OF_MEMORY] = { "MemoryPressure",
                             { "NodeHasSufficientMemory", "NodeHasInsufficientMemory" },
                             { "KubeletHasSufficientMemory", "KubeletHasInsufficientMemory" },
                             { "kubelet has sufficient memory available",
                               "kubelet has insufficient memory available" } },
    [PRESSURE_OF_DISK] = { "DiskPressure",
                           { "NodeHasNoDiskPressure", "NodeHasDiskPressure" },
                           { "KubeletHasNoDiskPressure", "KubeletHasDiskPressure" },
                           { "kubelet has no disk pressure", "kubelet has disk pressure" } },
    [PRESSURE_OF_PIDS] = { "PIDPressure",
                           { "NodeHasSufficientPID", "NodeHasInsufficientPID" },
                           { "KubeletHasSufficientPID", "KubeletHasInsufficientPID" },
                           { "kubelet has sufficient PID available",
                             "kubelet has insufficient PID available" } },
};

/* With each renewal of the Lease, as nothing tells of it. */
static void look_at_pressure(struct node_agent *n)
{
    struct pressure_facts facts;

    node_pressure_read(n->k->o->root_directory, n->k->image_directory, &facts);
    if (node_pressure_judge(&n->pressure, &facts, loop_now_ms(n->k->loop)))
        node_agent_wake(n);
}

static void tell_readiness(struct node_agent *n)
{
    struct err err;
    bool is_ready = cni_network_ready(n->k->network, &err) >= 0;

    for (size_t i = 0; i < PRESSURE_KINDS; i++)
        if (!n->was_told_ready || n->pressure.holds[i] != n->pressure_told[i]) {
            n->pressure_told[i] = n->pressure.holds[i];
            event(n, pressure_words[i].events[n->pressure.holds[i]]);
        }
    if (is_ready != n->was_ready)
        event(n, is_ready ? "NodeReady" : "NodeNotReady");
    n->was_told_ready = true;
    n->was_ready = is_ready;
}

/* --- conditions --- */

struct condition {
    const char *type, *reason, *message;
    bool is_true;
};

static void put_time(struct buf *b, const char *name, int64_t sec)
{
    buf_printf(b, "\"%s\":\"", name);
    time_text_print(b, sec);
    buf_append_char(b, '"');
}

static int64_t transition_of(const struct node_agent *n, const struct condition *c, int64_t now_s)
{
    const struct core_v1_node *node = n->node ? API_OBJECT(n->node, struct core_v1_node) : NULL;

    for (uint32_t i = 0; node && i < node->status.conditions.len; i++) {
        const struct core_v1_node_condition *old = &node->status.conditions.items[i];

        if (str_eq(old->type, str_from_cstr(c->type)) &&
            str_eq(old->status, c->is_true ? STR("True") : STR("False")))
            return old->last_transition_time.sec;
    }
    return now_s;
}

static void put_condition(const struct node_agent *n, struct buf *b, const struct condition *c,
                          int64_t now_s)
{
    buf_append_char(b, '{');
    put(b, "type", str_from_cstr(c->type));
    buf_printf(b, ",\"status\":\"%s\",", c->is_true ? "True" : "False");
    put_time(b, "lastHeartbeatTime", now_s);
    buf_append_char(b, ',');
    put_time(b, "lastTransitionTime", transition_of(n, c, now_s));
    buf_append_char(b, ',');
    put(b, "reason", str_from_cstr(c->reason));
    buf_append_char(b, ',');
    put(b, "message", str_from_cstr(c->message));
    buf_append_char(b, '}');
}

static struct condition ready_condition(const struct node_agent *n, struct err *err)
{
    if (cni_network_ready(n->k->network, err) < 0) {
        (void)err_wrap(err, "container runtime network not ready: NetworkReady=false "
                            "reason:NetworkPluginNotReady message:Network plugin returns error");
        return (struct condition){ "Ready", "KubeletNotReady", err->text, false };
    }
    return (struct condition){ "Ready", "KubeletReady", "kubelet is posting ready status", true };
}

static void put_conditions(const struct node_agent *n, struct buf *b, int64_t now_s)
{
    struct err err;
    struct condition all[PRESSURE_KINDS + 1];

    for (size_t i = 0; i < PRESSURE_KINDS; i++) {
        const struct pressure_words *w = &pressure_words[i];
        bool holds = n->pressure.holds[i];

        all[i] = (struct condition){ w->type, w->reasons[holds], w->messages[holds], holds };
    }
    all[PRESSURE_KINDS] = ready_condition(n, &err);
    buf_append_lit(b, "\"conditions\":[");
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (i)
            buf_append_char(b, ',');
        put_condition(n, b, &all[i], now_s);
    }
    buf_append_lit(b, "],");
}

static struct str status_json(struct arena *a, const struct node_agent *n, int64_t now_s)
{
    struct kubelet *k = n->k;
    struct buf b;

    buf_init_arena(&b, a, 4096);
    buf_append_char(&b, '{');
    put_resources(&b, n);
    put_conditions(n, &b, now_s);
    put_info(a, &b, k);
    buf_printf(&b, "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":%u}},", k->o->port);
    buf_append_lit(&b, "\"addresses\":[{\"type\":\"InternalIP\",");
    put(&b, "address", k->node.host_ip);
    buf_append_lit(&b, "},{\"type\":\"Hostname\",");
    put(&b, "address", k->node.name);
    buf_append_lit(&b, "}],\"features\":{\"supplementalGroupsPolicy\":true},\"images\":");
    buf_append_str(&b, n->images ? str_from_cstr(n->images) : STR("[]"));
    buf_append_char(&b, '}');
    return buf_str(&b);
}

/* --- telling --- */

static const struct resource *nodes(void)
{
    return resource_find(STR(""), STR("v1"), STR("nodes"));
}

static void retry(struct node_agent *n)
{
    n->retry_ms = n->retry_ms ? MIN(n->retry_ms * 2, (int64_t)RETRY_MAX_MS) : RETRY_MS;
    loop_timer_start(&n->timer, n->retry_ms);
}

static void on_told(const struct rest_result *res, void *arg)
{
    struct node_agent *n = arg;

    n->call = NULL;
    if (res->result < 0 && res->result != ERR_EXISTS) {
        LOG_WARNING("cannot tell the node's status",
                    KV("err", res->message.len ? res->message : STR("no answer")));
        mem_free(n->told);
        n->told = NULL;
        retry(n);
        return;
    }
    n->retry_ms = 0;
    loop_timer_start(&n->timer, STATUS_PERIOD_MS);
    if (n->is_wanted)
        node_agent_wake(n);
}

static void put_labels(struct arena *a, struct buf *b, const struct kubelet *k)
{
    struct str rest = str_from_cstr(k->o->node_labels), part, key, value;
    struct utsname u;

    (void)uname(&u);
    buf_append_lit(b, "\"labels\":{");
    put(b, "kubernetes.io/hostname", k->node.name);
    buf_printf(b,
               ",\"kubernetes.io/os\":\"linux\",\"beta.kubernetes.io/os\":\"linux\","
               "\"kubernetes.io/arch\":\"%s\",\"beta.kubernetes.io/arch\":\"%s\"",
               architecture(&u), architecture(&u));
    while (str_next(&rest, ',', &part)) {
        (void)str_cut(part, '=', &key, &value);
        if (!key.len)
            continue;
        buf_append_char(b, ',');
        put(b, arena_printf(a, "%.*s", STR_ARG(key)).p, value);
    }
    buf_append_char(b, '}');
}

/* "key=value:Effect,key:Effect" */
static void put_taints(struct buf *b, const struct kubelet *k)
{
    struct str rest = str_from_cstr(k->o->node_taints), part, key, value, effect;
    bool any = false;

    buf_append_lit(b, "\"taints\":[");
    while (str_next(&rest, ',', &part)) {
        if (!str_cut(part, ':', &key, &effect) || !key.len)
            continue;
        (void)str_cut(key, '=', &key, &value);
        buf_append_str(b, any ? STR(",{\"key\":") : STR("{\"key\":"));
        json_write_string(b, key);
        if (value.len) {
            buf_append_lit(b, ",\"value\":");
            json_write_string(b, value);
        }
        buf_append_lit(b, ",\"effect\":");
        json_write_string(b, effect);
        buf_append_char(b, '}');
        any = true;
    }
    buf_append_char(b, ']');
}

static void make_node(struct node_agent *n, struct arena *a, struct str status)
{
    struct kubelet *k = n->k;
    struct buf b;

    buf_init_arena(&b, a, 8192);
    buf_append_lit(&b, "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{");
    put(&b, "name", k->node.name);
    buf_append_char(&b, ',');
    put_labels(a, &b, k);
    buf_append_lit(&b, "},\"spec\":{");
    put_taints(&b, k);
    buf_append_lit(&b, "},\"status\":");
    buf_append_str(&b, status);
    buf_append_char(&b, '}');
    n->call = rest_call_start(
        k->rest,
        &(struct rest_request){ .verb = REST_CREATE, .resource = nodes(), .patch = buf_str(&b) },
        on_told, n);
}

static void patch_status(struct node_agent *n, struct arena *a, struct str status)
{
    n->call = rest_call_start(
        n->k->rest,
        &(struct rest_request){ .verb = REST_STRATEGIC_MERGE_PATCH,
                                .resource = nodes(),
                                .name = n->k->node.name,
                                .subresource = STR("status"),
                                .patch = arena_printf(a, "{\"status\":%.*s}", STR_ARG(status)) },
        on_told, n);
}

/* A Node that was there before us has the labels that every node has. */
static bool patch_labels(struct node_agent *n, struct arena *a)
{
    struct utsname u;
    const struct {
        struct str key, value;
    } own[] = {
        { STR("kubernetes.io/hostname"), n->k->node.name },
        { STR("kubernetes.io/os"), STR("linux") },
        { STR("kubernetes.io/arch"),
          (uname(&u) == 0 ? str_from_cstr(architecture(&u)) : STR_NULL) },
    };
    struct buf b;
    bool any = false;

    n->is_known = true;
    buf_init_arena(&b, a, 256);
    buf_append_lit(&b, "{\"metadata\":{\"labels\":{");
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        const struct schema_str_entry *e = text_map_find(&n->node->meta->labels, own[i].key);

        if (e && str_eq(e->value, own[i].value))
            continue;
        if (any)
            buf_append_char(&b, ',');
        put(&b, own[i].key.p, own[i].value);
        any = true;
    }
    buf_append_lit(&b, "}}}");
    if (!any)
        return false;
    n->is_wanted = true;
    n->call = rest_call_start(n->k->rest,
                              &(struct rest_request){ .verb = REST_MERGE_PATCH,
                                                      .resource = nodes(),
                                                      .name = n->k->node.name,
                                                      .patch = buf_str(&b) },
                              on_told, n);
    return true;
}

static void tell(struct loop_task *t)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct node_agent *n = CONTAINER_OF(t, struct node_agent, task);
    int64_t now_s = clock_wall_s(loop_clock(n->k->loop));
    int64_t now_ms = loop_now_ms(n->k->loop);
    struct str matters, status;

    if (!informer_is_synced(n->nodes) || !n->images)
        return; /* on_synced and on_images wake */
    if (n->node)
        tell_readiness(n);
    if (n->node && !n->is_known && !n->call && patch_labels(n, &a))
        return;
    n->is_wanted = n->call != NULL;
    if (n->call)
        return;
    /* The same but for its times, and told not long ago? */
    matters = status_json(&a, n, 0);
    if (n->node && n->told && str_eq(matters, str_from_cstr(n->told)) &&
        now_ms - n->told_at_ms < STATUS_PERIOD_MS)
        return;
    mem_free(n->told);
    /* A server need not take the status of a Node that is made: it is told again then. */
    n->told = n->node ? str_heap_cstr(matters) : NULL;
    n->told_at_ms = now_ms;
    status = status_json(&a, n, now_s);
    if (n->node)
        patch_status(n, &a, status);
    else
        make_node(n, &a, status);
}

const struct node_pressure *node_agent_pressure(const struct node_agent *n)
{
    return &n->pressure;
}

const struct core_v1_node *node_agent_node(const struct node_agent *n)
{
    return n->node ? API_OBJECT(n->node, struct core_v1_node) : NULL;
}

void node_agent_wake(struct node_agent *n)
{
    loop_task_post(n->k->loop, &n->task);
}

static void on_timer(struct loop_timer *t)
{
    node_agent_look_at_images(CONTAINER_OF(t, struct node_agent, timer));
    node_agent_wake(CONTAINER_OF(t, struct node_agent, timer));
}

/* --- the node's Pod range --- */

static void take_ranges(struct node_agent *n)
{
    const struct core_v1_node_spec *s = &API_OBJECT(n->node, struct core_v1_node)->spec;
    struct ip_prefix ranges[2];
    size_t count = 0;
    struct err err;

    if (n->has_ranges || n->k->o->cni_conf_directory)
        return;
    for (uint32_t i = 0; i < s->pod_cidrs.len && count < 2; i++)
        count += ip_prefix_parse(s->pod_cidrs.items[i], &ranges[count]);
    if (!count && s->pod_cidr.len)
        count += ip_prefix_parse(s->pod_cidr, &ranges[0]);
    if (!count)
        return;
    if (cni_network_set_ranges(n->k->network, ranges, count, &err) < 0)
        LOG_WARNING("cannot use the node's Pod range", KV("err", str_from_cstr(err.text)));
    else
        n->has_ranges = true;
    MAP_FOREACH(it, &n->k->workers)
        pod_worker_wake(it->value); /* they may have waited for it */
}

static void on_node(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct node_agent *n = arg;

    if (old && (!new || !str_eq(old->meta->uid, new->meta->uid)))
        n->has_ranges = false; /* another Node may have another range */
    api_object_unref(n->node);
    n->node = new ? api_object_ref(new) : NULL;
    if (new) {
        take_ranges(n);
        mirror_pods_wake(n->k->mirrors, STR_NULL); /* they name it as their owner */
        if (!n->is_leasing)                        /* and so does the Lease */
            loop_timer_start(&n->lease_timer, 0);
        n->is_leasing = true;
    }
    node_agent_wake(n);
}

static void on_synced(void *arg)
{
    node_agent_wake(arg);
}

/* --- the lease --- */

static void on_lease(const struct rest_result *res, void *arg)
{
    struct node_agent *n = arg;

    n->lease_call = NULL;
    if (res->result == 0)
        n->has_lease = true;
    else if (res->result == ERR_NOT_FOUND)
        n->has_lease = false;
    else if (res->result == ERR_EXISTS)
        n->has_lease = true;
    loop_timer_start(&n->lease_timer, res->result == 0 ? LEASE_PERIOD_MS : RETRY_MS * 5);
}

static void renew(struct loop_timer *t)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct node_agent *n = CONTAINER_OF(t, struct node_agent, lease_timer);
    const struct clock *clock = loop_clock(n->k->loop);
    int64_t now_ns = clock->wall_ns(clock);
    struct rest_request q = {
        .verb = n->has_lease ? REST_MERGE_PATCH : REST_CREATE,
        .resource = resource_find(STR("coordination.k8s.io"), STR("v1"), STR("leases")),
        .namespace = STR("kube-node-lease"),
        .name = n->has_lease ? n->k->node.name : STR_NULL,
    };
    struct buf b;

    look_at_pressure(n);
    buf_init_arena(&b, &a, 512);
    buf_append_lit(&b, "{\"metadata\":{");
    put(&b, "name", n->k->node.name);
    /* The Node takes its Lease along. */
    if (n->node) {
        buf_append_lit(&b, ",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Node\",");
        put(&b, "name", n->k->node.name);
        buf_append_char(&b, ',');
        put(&b, "uid", n->node->meta->uid);
        buf_append_lit(&b, "}]");
    }
    buf_append_lit(&b, "},\"spec\":{");
    put(&b, "holderIdentity", n->k->node.name);
    buf_printf(&b, ",\"leaseDurationSeconds\":%d,\"renewTime\":\"", LEASE_SECONDS);
    time_text_print_micro(&b, now_ns / 1000000000, (int32_t)(now_ns % 1000000000));
    buf_append_lit(&b, "\"}}");
    q.patch = buf_str(&b);
    n->lease_call = rest_call_start(n->k->rest, &q, on_lease, n);
}

/* --- life --- */

struct node_agent *node_agent_new(struct kubelet *k, const struct node_pressure *pressure)
{
    struct node_agent *n = NEW(struct node_agent);

    n->k = k;
    n->pressure = *pressure;
    loop_task_init(&n->task, tell);
    loop_timer_init(&n->timer, k->loop, on_timer);
    loop_timer_init(&n->lease_timer, k->loop, renew);
    n->nodes = informer_new(&(struct informer_options){
        .loop = k->loop,
        .client = k->rest,
        .resource = nodes(),
        .field_selector = arena_printf(&k->arena, "metadata.name=%s", k->o->node_name) });
    informer_add_handler(n->nodes, &(struct informer_handler){
                                       .on_change = on_node, .on_synced = on_synced, .arg = n });
    informer_start(n->nodes);
    look_at_pressure(n);
    node_agent_look_at_images(n);
    event(n, "Starting");
    return n;
}

void node_agent_free(struct node_agent *n)
{
    if (!n)
        return;
    loop_task_cancel(&n->task);
    loop_timer_stop(&n->timer);
    loop_timer_stop(&n->lease_timer);
    if (n->images_call)
        n->k->runtime->ops->cancel(n->images_call);
    rest_call_cancel(n->call);
    rest_call_cancel(n->lease_call);
    informer_free(n->nodes);
    api_object_unref(n->node);
    mem_free(n->told);
    mem_free(n->images);
    mem_free(n);
}
