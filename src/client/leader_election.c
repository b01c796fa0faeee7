/* The Lease is read and written with its resourceVersion, so that of two that reach for it one is
 * refused. Whether another's hold has ended is told by this process's own clock: since the record
 * was last seen to change, not by the times in it. */
#include "client/leader_election.h"

#include <unistd.h>

#include "api/coordination_v1.h"
#include "api/meta_v1.h"
#include "api/object.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "client/api_object.h"
#include "client/rest_client.h"
#include "io/loop.h"

enum { LEASE_MS = 15000, RENEW_MS = 10000, RETRY_MS = 2000 };

struct leader_election {
    struct arena arena;
    struct leader_election_options o;
    const struct resource *row;
    struct loop_timer timer;    /* the next try */
    struct loop_timer deadline; /* leading ends then unless renewed */
    struct rest_call *call;
    const struct api_object *seen; /* the Lease as last read or written */
    int64_t seen_ms;               /* when it was last seen to change */
    bool leads, has_ended;
};

static const struct coordination_v1_lease_spec *spec_of(const struct api_object *o)
{
    return &API_OBJECT(o, struct coordination_v1_lease)->spec;
}

static bool is_mine(const struct leader_election *e)
{
    return e->seen && str_eq(spec_of(e->seen)->holder_identity, e->o.identity);
}

static bool is_held_by_another(const struct leader_election *e)
{
    const struct coordination_v1_lease_spec *s = e->seen ? spec_of(e->seen) : NULL;
    int64_t lease_ms;

    if (!s || !s->holder_identity.len || is_mine(e))
        return false;
    lease_ms = s->lease_duration_seconds ? *s->lease_duration_seconds * 1000LL : e->o.lease_ms;
    return loop_now_ms(e->o.loop) < e->seen_ms + lease_ms;
}

/* Own writes too: nothing changed when the revision is the same. */
static void see(struct leader_election *e, const struct api_object *o)
{
    if (!e->seen || !str_eq(e->seen->meta->resource_version, o->meta->resource_version))
        e->seen_ms = loop_now_ms(e->o.loop);
    api_object_unref(e->seen);
    e->seen = api_object_ref(o);
}

static void again(struct leader_election *e)
{
    int64_t ms = e->o.retry_ms;

    if (!e->leads) /* so that those who wait do not all reach for it at once */
        ms += (int64_t)(random_u64() % (uint64_t)ms);
    loop_timer_start(&e->timer, ms);
}

static void stop_leading(struct leader_election *e)
{
    e->leads = false;
    e->has_ended = true;
    loop_timer_stop(&e->timer);
    loop_timer_stop(&e->deadline);
    rest_call_cancel(TAKE(e->call));
    LOG_WARNING("lost the lease", KV("lease", e->o.name), KV("identity", e->o.identity));
    e->o.on_stopped(e->o.arg);
}

/* --- writing --- */

static struct object next_lease(struct leader_election *e, struct arena *a, bool is_release)
{
    int64_t now_ns = loop_clock(e->o.loop)->wall_ns(loop_clock(e->o.loop));
    struct ktime now = { now_ns / 1000000000, (int32_t)(now_ns % 1000000000) / 1000 * 1000, true };
    struct object o =
        e->seen ? object_copy(a, e->seen->o) : object_new(a, &schema_builtin, e->row->type);
    struct coordination_v1_lease_spec *s = &((struct coordination_v1_lease *)o.data)->spec;
    int32_t transitions = s->lease_transitions ? *s->lease_transitions : 0;

    object_set_gvk(o, STR("coordination.k8s.io/v1"), STR("Lease"));
    object_meta(o)->namespace = e->o.namespace;
    object_meta(o)->name = e->o.name;
    s->lease_duration_seconds = ARENA_NEW(a, int32_t);
    s->lease_transitions = ARENA_NEW(a, int32_t);
    *s->lease_duration_seconds = is_release ? 1 : (int32_t)(e->o.lease_ms / 1000);
    *s->lease_transitions = e->seen && !is_mine(e) ? transitions + 1 : transitions;
    if (!is_mine(e) || is_release)
        s->acquire_time = now;
    s->renew_time = now;
    s->holder_identity = is_release ? STR("") : e->o.identity;
    return o;
}

static void on_written(const struct rest_result *res, void *arg)
{
    struct leader_election *e = arg;

    e->call = NULL;
    if (res->result == 0 && res->object) {
        see(e, res->object);
        loop_timer_start(&e->deadline, e->o.renew_ms);
        again(e);
        if (!e->leads) {
            e->leads = true;
            LOG_INFO("holds the lease", KV("lease", e->o.name), KV("identity", e->o.identity));
            e->o.on_started(e->o.arg);
        }
        return;
    }
    if (res->result == ERR_CONFLICT || res->result == ERR_NOT_FOUND) {
        api_object_unref(TAKE(e->seen)); /* read it anew */
        e->seen_ms = loop_now_ms(e->o.loop);
    }
    again(e);
}

static void write_lease(struct leader_election *e, rest_done_fn *done, bool is_release)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    e->call = rest_call_start(e->o.client,
                              &(struct rest_request){ .verb = e->seen ? REST_UPDATE : REST_CREATE,
                                                      .resource = e->row,
                                                      .namespace = e->o.namespace,
                                                      .name = e->seen ? e->o.name : STR_NULL,
                                                      .body = next_lease(e, &a, is_release),
                                                      .timeout_ms = e->o.renew_ms },
                              done, e);
}

/* --- reading --- */

static void on_read(const struct rest_result *res, void *arg)
{
    struct leader_election *e = arg;

    e->call = NULL;
    if (res->result == 0 && res->object)
        see(e, res->object);
    else if (res->result != ERR_NOT_FOUND) {
        again(e);
        return;
    } else {
        api_object_unref(TAKE(e->seen));
    }
    if (is_held_by_another(e)) {
        if (e->leads) /* somebody took it: it must have run out */
            stop_leading(e);
        else
            again(e);
        return;
    }
    write_lease(e, on_written, false);
}

/* A leader writes at once, on what it wrote last: a conflict makes it read. */
static void on_timer(struct loop_timer *t)
{
    struct leader_election *e = CONTAINER_OF(t, struct leader_election, timer);

    if (e->call) {
        again(e);
        return;
    }
    if (e->leads && is_mine(e)) {
        write_lease(e, on_written, false);
        return;
    }
    e->call = rest_call_start(e->o.client,
                              &(struct rest_request){ .verb = REST_GET,
                                                      .resource = e->row,
                                                      .namespace = e->o.namespace,
                                                      .name = e->o.name,
                                                      .timeout_ms = e->o.renew_ms },
                              on_read, e);
}

static void on_deadline(struct loop_timer *t)
{
    stop_leading(CONTAINER_OF(t, struct leader_election, deadline));
}

/* --- life --- */

struct str leader_election_identity(struct arena *a)
{
    char host[256] = "", uuid[RANDOM_UUID_LEN + 1];

    (void)gethostname(host, sizeof(host) - 1); /* the uuid alone would do */
    random_uuid(uuid);
    return arena_printf(a, "%s_%s", host, uuid);
}

struct leader_election *leader_election_new(const struct leader_election_options *o)
{
    struct leader_election *e = NEW(struct leader_election);

    e->o = *o;
    e->o.namespace = str_dup(&e->arena, o->namespace);
    e->o.name = str_dup(&e->arena, o->name);
    e->o.identity = str_dup(&e->arena, o->identity);
    e->o.lease_ms = o->lease_ms ? o->lease_ms : LEASE_MS;
    e->o.renew_ms = o->renew_ms ? o->renew_ms : RENEW_MS;
    e->o.retry_ms = o->retry_ms ? o->retry_ms : RETRY_MS;
    e->row = resource_find(STR("coordination.k8s.io"), STR("v1"), STR("leases"));
    loop_timer_init(&e->timer, o->loop, on_timer);
    loop_timer_init(&e->deadline, o->loop, on_deadline);
    loop_timer_start(&e->timer, 0);
    return e;
}

static void ignore(const struct rest_result *res, void *arg)
{
    (void)res;
    (void)arg;
}

void leader_election_free(struct leader_election *e)
{
    if (!e)
        return;
    loop_timer_stop(&e->timer);
    loop_timer_stop(&e->deadline);
    rest_call_cancel(TAKE(e->call));
    if (e->leads && is_mine(e))
        write_lease(e, ignore, true);
    api_object_unref(e->seen);
    arena_done(&e->arena);
    mem_free(e);
}
