#include <criterion/criterion.h>

#include "apiserver/metrics.h"
#include "base/buf.h"
#include "store/store.h"

static const struct metrics_request get_pod = {
    .group = STR_INIT(""),
    .version = STR_INIT("v1"),
    .resource = STR_INIT("pods"),
    .subresource = STR_INIT(""),
    .verb = "GET",
    .scope = "resource",
    .code = 200,
    .duration_us = 30000,
};

Test(metrics, requests_are_counted_by_label)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct metrics *m = metrics_new();
    struct store_stats stats = { .objects = 7 };
    struct metrics_request missing = get_pod;

    missing.code = 404;
    metrics_count_request(m, &get_pod);
    metrics_count_request(m, &get_pod);
    metrics_count_request(m, &missing);
    metrics_in_flight(m, true, 3);
    metrics_print(m, &stats, &b);
    cr_assert(str_contains(
        buf_str(&b), STR("apiserver_request_total{code=\"200\",component=\"apiserver\",dry_run="
                         "\"\",group=\"\",resource=\"pods\",scope=\"resource\",subresource=\"\","
                         "verb=\"GET\",version=\"v1\"} 2\n")));
    cr_assert(str_contains(buf_str(&b), STR("scope=\"resource\",subresource=\"\",verb=\"GET\","
                                            "version=\"v1\",le=\"0.025\"} 0\n")));
    cr_assert(str_contains(buf_str(&b), STR("version=\"v1\",le=\"0.05\"} 2\n")));
    cr_assert(str_contains(buf_str(&b), STR("request_kind=\"mutating\"} 3\n")));
    cr_assert(str_contains(buf_str(&b), STR("pintle_store_objects 7\n")));
    metrics_free(m);
}

Test(metrics, labels_are_bounded)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct metrics *m = metrics_new();
    struct store_stats stats = { 0 };
    struct metrics_request r = get_pod;
    struct str rest;
    size_t series = 0;

    for (int code = 0; code < 20000; code++) {
        r.code = code;
        metrics_count_request(m, &r);
    }
    metrics_print(m, &stats, &b);
    cr_assert(str_contains(buf_str(&b), STR("resource=\"other\"")));
    rest = buf_str(&b);
    for (struct str line; str_next(&rest, '\n', &line);)
        series += str_has_prefix(line, STR("apiserver_request_total{"));
    cr_assert_leq(series, 4097);
    metrics_free(m);
}
