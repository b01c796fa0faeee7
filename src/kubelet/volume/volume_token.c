/* Tokens of service accounts for projected volumes: bound to the Pod, renewed when four fifths of
 * their life (or a day) are over, by a timer each. */
#include "api/core_v1.h"
#include "api/resource.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/rest_client.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"
#include "codec/value.h"
#include "io/loop.h"
#include "kubelet/volume/volume_internal.h"

enum { DEFAULT_LIFE_S = 3600, RETRY_MS = 5000, MAX_AGE_S = 24 * 3600 };

struct volume_token {
    struct volume_manager *manager;
    struct arena arena; /* of the request's texts */
    struct str pod_uid, pod_name, namespace, account, audience;
    int64_t life_s;
    char *token; /* NULL: none yet */
    int64_t until_s;
    struct rest_call *call;
    struct loop_timer timer;
    struct err err; /* why there is none */
};

static void ask(struct volume_token *t);

static void on_timer(struct loop_timer *timer)
{
    ask(CONTAINER_OF(timer, struct volume_token, timer));
}

/* {"status":{"token":..., "expirationTimestamp":...}} */
static bool read_answer(struct arena *a, struct str body, struct str *ret_token, int64_t *ret_until)
{
    struct value v;
    const struct value *status;
    struct err err;
    int32_t nsec;

    if (value_parse(a, body, &v, NULL, &err) < 0)
        return false;
    status = value_get(&v, STR("status"));
    if (!status)
        return false;
    *ret_token = value_get_str(status, STR("token"));
    return ret_token->len &&
           time_text_parse(value_get_str(status, STR("expirationTimestamp")), ret_until, &nsec);
}

static void on_answer(const struct rest_result *res, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct volume_token *t = arg;
    int64_t now_s = clock_wall_s(loop_clock(t->manager->o.loop)), until, left_s;
    struct str token;

    t->call = NULL;
    if (res->result < 0 || !read_answer(&a, res->body, &token, &until)) {
        (void)err_set(&t->err, res->result < 0 ? res->result : ERR_PROTOCOL,
                      "failed to fetch token: %.*s",
                      STR_ARG(res->message.len ? res->message : STR("no answer")));
        loop_timer_start(&t->timer, RETRY_MS);
    } else {
        mem_free(t->token);
        t->token = str_heap_cstr(token);
        t->until_s = until;
        left_s = MIN((until - now_s) * 4 / 5, (int64_t)MAX_AGE_S);
        loop_timer_start(&t->timer, MAX(left_s, (int64_t)1) * 1000);
    }
    t->manager->o.on_change(t->pod_uid, t->manager->o.arg);
}

static void ask(struct volume_token *t)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct rest_request q = {
        .verb = REST_CREATE,
        .resource = resource_find(STR(""), STR("v1"), STR("serviceaccounts")),
        .namespace = t->namespace,
        .name = t->account,
        .subresource = STR("token"),
    };
    struct buf b;

    buf_init_arena(&b, &a, 512);
    buf_append_lit(&b, "{\"kind\":\"TokenRequest\",\"apiVersion\":\"authentication.k8s.io/v1\","
                       "\"spec\":{\"audiences\":[");
    if (t->audience.len)
        json_write_string(&b, t->audience);
    buf_printf(&b,
               "],\"expirationSeconds\":%lld,\"boundObjectRef\":{\"kind\":\"Pod\","
               "\"apiVersion\":\"v1\",\"name\":",
               (long long)t->life_s);
    json_write_string(&b, t->pod_name);
    buf_append_lit(&b, ",\"uid\":");
    json_write_string(&b, t->pod_uid);
    buf_append_lit(&b, "}}}");
    q.patch = buf_str(&b);
    t->call = rest_call_start(t->manager->o.client, &q, on_answer, t);
}

static void token_free(struct volume_token *t)
{
    loop_timer_stop(&t->timer);
    rest_call_cancel(t->call);
    mem_free(t->token);
    arena_done(&t->arena);
    mem_free(t);
}

static struct volume_token *token_new(struct volume_task *task,
                                      const struct core_v1_service_account_token_projection *p)
{
    struct volume_token *t = NEW(struct volume_token);
    const struct core_v1_pod *pod = task->pod;

    t->manager = task->manager;
    t->pod_uid = str_dup(&t->arena, pod->metadata.uid);
    t->pod_name = str_dup(&t->arena, pod->metadata.name);
    t->namespace = str_dup(&t->arena, pod->metadata.namespace);
    t->account =
        str_dup(&t->arena, pod->spec.service_account_name.len ? pod->spec.service_account_name
                                                              : STR("default"));
    t->audience = str_dup(&t->arena, p->audience);
    t->life_s = p->expiration_seconds ? *p->expiration_seconds : DEFAULT_LIFE_S;
    loop_timer_init(&t->timer, t->manager->o.loop, on_timer);
    (void)err_set(&t->err, ERR_AGAIN, "the token is not there yet");
    ask(t);
    return t;
}

int volume_token_get(struct volume_task *task, uint32_t source,
                     const struct core_v1_service_account_token_projection *p, struct str *ret)
{
    struct map *tokens = &task->manager->tokens;
    struct str key = arena_printf(task->arena, "%.*s/%.*s/%u", STR_ARG(task->pod->metadata.uid),
                                  STR_ARG(task->volume->name), source);
    struct volume_token *t = map_get(tokens, key);

    if (!t) {
        t = token_new(task, p);
        (void)map_put(tokens, key, t);
    }
    if (!t->token || t->until_s <= clock_wall_s(loop_clock(task->manager->o.loop))) {
        *task->err = t->err;
        return t->err.code ? t->err.code : ERR_AGAIN;
    }
    *ret = str_from_cstr(t->token);
    return 0;
}

void volume_token_forget_pod(struct volume_manager *m, struct str pod_uid)
{
    MAP_FOREACH(it, &m->tokens) {
        struct volume_token *t = it->value;

        if (!str_eq(t->pod_uid, pod_uid))
            continue;
        (void)map_remove(&m->tokens, it->key);
        token_free(t);
    }
}

void volume_token_done(struct volume_manager *m)
{
    MAP_FOREACH(it, &m->tokens)
        token_free(it->value);
    map_done(&m->tokens);
}
