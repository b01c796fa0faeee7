/* Health: each check is a row; /livez and /readyz run those that are theirs. Anyone may ask, so
 * that nothing is told but names and ok or failed. */
#include "apiserver/health.h"

#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/metrics.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/version.h"
#include "http/http_server.h"
#include "store/store.h"

enum { LIVE = 1, READY = 2 };

static bool check_ping(struct apiserver *s)
{
    (void)s;
    return true;
}

/* A read transaction can be had, and the newest state be read. */
static bool check_store(struct apiserver *s)
{
    struct store_snapshot snap;
    struct err ignored;

    if (store_snapshot_begin(s->store, &snap, &ignored) < 0)
        return false;
    store_snapshot_end(&snap);
    return true;
}

static bool check_bootstrap(struct apiserver *s)
{
    return atomic_load(&s->ready);
}

static bool check_shutdown(struct apiserver *s)
{
    return !atomic_load(&s->stopping);
}

static const struct {
    struct str name;
    bool (*check)(struct apiserver *s);
    unsigned of;
} checks[] = {
    { STR_INIT("ping"), check_ping, LIVE | READY },
    { STR_INIT("log"), check_ping, LIVE | READY },
    { STR_INIT("etcd"), check_store, LIVE | READY },
    { STR_INIT("poststarthook/bootstrap-objects"), check_bootstrap, LIVE | READY },
    { STR_INIT("shutdown"), check_shutdown, READY },
};

static bool is_excluded(const struct request_info *info, struct str name)
{
    for (size_t i = 0; i < info->n_params; i++) {
        if (str_eq(info->params[i].name, STR("exclude")) && str_eq(info->params[i].value, name))
            return true;
    }
    return false;
}

static bool is_check(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (str_eq(checks[i].name, name))
            return true;
    }
    return false;
}

/* Names to exclude that no check has are said, as upstream does. */
static void warn_unknown(const struct request_info *info, struct buf *b)
{
    for (size_t i = 0; i < info->n_params; i++) {
        if (str_eq(info->params[i].name, STR("exclude")) && !is_check(info->params[i].value))
            buf_printf(b, "warn: some health checks cannot be excluded: no matches for \"%.*s\"\n",
                       STR_ARG(info->params[i].value));
    }
}

static void run_all(struct api_request *r, struct str name, unsigned which)
{
    struct buf b = { .arena = r->arena };
    bool ok = true;

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        bool passed;

        if (!(checks[i].of & which))
            continue;
        if (is_excluded(&r->info, checks[i].name)) {
            buf_printf(&b, "[+]%.*s excluded: ok\n", STR_ARG(checks[i].name));
            continue;
        }
        passed = checks[i].check(r->server);
        ok &= passed;
        buf_printf(&b, passed ? "[+]%.*s ok\n" : "[-]%.*s failed: reason withheld\n",
                   STR_ARG(checks[i].name));
    }
    warn_unknown(&r->info, &b);
    buf_printf(&b, "%.*s check %s\n", STR_ARG(name), ok ? "passed" : "failed");
    if (ok && !request_info_bool(&r->info, STR("verbose")))
        api_respond_text(r, 200, STR("ok"));
    else
        api_respond_text(r, ok ? 200 : 500, buf_str(&b));
}

/* /livez/etcd: one check. */
static bool run_one(struct api_request *r, struct str check, unsigned which)
{
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        bool ok;

        if (!(checks[i].of & which) || !str_eq(checks[i].name, check))
            continue;
        ok = checks[i].check(r->server);
        api_respond_text(r, ok ? 200 : 500,
                         ok ? STR("ok") : STR("internal server error: reason withheld"));
        return true;
    }
    return false;
}

static const struct {
    struct str path;
    unsigned which;
} roots[] = {
    { STR_INIT("healthz"), LIVE },
    { STR_INIT("livez"), LIVE },
    { STR_INIT("readyz"), READY },
};

void health_each_path(struct arena *a, void (*fn)(struct str path, void *arg), void *arg)
{
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        fn(arena_printf(a, "/%.*s", STR_ARG(roots[i].path)), arg);
        for (size_t j = 0; j < ARRAY_LEN(checks); j++)
            if (checks[j].of & roots[i].which)
                fn(arena_printf(a, "/%.*s/%.*s", STR_ARG(roots[i].path), STR_ARG(checks[j].name)),
                   arg);
    }
}

bool health_handle(struct api_request *r)
{
    struct str path = str_tail(r->info.path, 1), root, rest;

    if (str_cut(path, '/', &root, &rest) && !rest.len)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        if (!str_eq(root, roots[i].path))
            continue;
        if (rest.len)
            return run_one(r, rest, roots[i].which);
        run_all(r, root, roots[i].which);
        return true;
    }
    return false;
}

bool version_handle(struct api_request *r)
{
    struct status s;

    if (!str_eq(r->info.path, STR("/version")) && !str_eq(r->info.path, STR("/version/")))
        return false;
    if (!str_eq(r->info.method, STR("GET"))) {
        s = status_unrouted(r->arena, STATUS_METHOD_NOT_ALLOWED,
                            "the server does not allow this method on the requested resource");
        api_respond_status(r, &s);
        return true;
    }
    if (!negotiation_names(http_request_header(r->http, STR("accept")), MEDIA_BIT(JSON))) {
        r->pretty = true;
        s = status_unrouted(r->arena, STATUS_NOT_ACCEPTABLE,
                            "406: Not Acceptable\n\nAvailable representations: application/json");
        api_respond_status(r, &s);
        return true;
    }
    api_respond(r, 200, STR("application/json"),
                STR("{\n  \"major\": \"" VERSION_MAJOR "\",\n  \"minor\": \"" VERSION_MINOR "\",\n"
                    "  \"emulationMajor\": \"" VERSION_MAJOR "\",\n"
                    "  \"emulationMinor\": \"" VERSION_MINOR "\",\n"
                    "  \"minCompatibilityMajor\": \"" VERSION_MAJOR "\",\n"
                    "  \"minCompatibilityMinor\": \"35\",\n"
                    "  \"gitVersion\": \"" VERSION_GIT "\",\n  \"gitCommit\": \"\",\n"
                    "  \"gitTreeState\": \"\",\n  \"buildDate\": \"\",\n  \"goVersion\": \"\",\n"
                    "  \"compiler\": \"gcc\",\n  \"platform\": \"linux/amd64\"\n}\n"));
    return true;
}

bool metrics_handle(struct api_request *r)
{
    struct buf b = { .arena = r->arena };
    struct store_stats stats = { 0 };

    if (!str_eq(r->info.path, STR("/metrics")))
        return false;
    store_get_stats(r->server->store, &stats);
    metrics_print(r->server->metrics, &stats, &b);
    api_respond(r, 200, STR("text/plain; version=0.0.4; charset=utf-8"), buf_str(&b));
    return true;
}
