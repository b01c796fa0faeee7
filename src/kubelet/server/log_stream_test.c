/* A container's log by HTTP, from files as runtimes write them: options, pieces of lines, what is
 * odd, and following: growth, another file, the end. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "http/http_fixture.h"
#include "kubelet/server/server_internal.h"
#include "runtime/runtime_files.h"

static struct http_fixture f;
static struct kubelet_server server;
static char directory[64], path[96];
static bool is_running;
static struct meta_v1_object_meta meta = { .uid = STR_INIT("u1") };
static struct api_object pod = { .meta = &meta };

static const struct api_object *find_pod(void *arg, struct str namespace, struct str name,
                                         struct str uid)
{
    (void)arg, (void)namespace, (void)uid;
    return str_eq(name, STR("p")) ? &pod : NULL;
}

static struct str container_id(void *arg, struct str uid, struct str container)
{
    (void)arg, (void)uid, (void)container;
    return STR("id1");
}

static struct str log_path(void *arg, struct str uid, struct str container, bool is_previous,
                           bool *ret_is_running, struct err *err)
{
    (void)arg, (void)uid;
    *ret_is_running = is_running;
    if (str_eq(container, STR("waits")) || is_previous) {
        (void)err_set(err, ERR_INVALID, "container \"waits\" is waiting to start");
        return STR_NULL;
    }
    return str_from_cstr(path);
}

static const struct kubelet_view view = { .find_pod = find_pod,
                                          .container_id = container_id,
                                          .log_path = log_path };

/* "/containerLogs/NS/POD/CONTAINER" */
static void on_request(struct http_request *http, void *arg)
{
    struct server_request r = {
        .server = arg, .http = http, .arena = http_request_arena(http), .n = 4
    };
    struct str rest = str_tail(http_request_path(http), 1);

    for (size_t i = 0; i < r.n && str_next(&rest, '/', &r.parts[i]); i++)
        continue;
    log_stream_serve(&r);
}

static void append(const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

#define T "2020-01-01T00:00:0"
static const char ten[] =
    T "0.5+00:00 stdout F one\n" T "1.0+00:00 stderr F two\n" T "2.0+00:00 stdout P thr\n" T
      "3.0+00:00 stdout F ee\n" T "4.0+00:00 stdout F four\n";

static void start(const char *text)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/log-stream-XXXXXX");
    cr_assert(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/0.log", directory);
    append(text);
    http_fixture_start(&f, on_request, &server);
    server.o.loop = f.loop;
    server.o.view = &view;
    list_init(&server.logs);
}

static void stop(void)
{
    struct err err;

    log_stream_stop_all(&server);
    http_fixture_stop(&f);
    cr_expect(list_is_empty(&server.logs), "nobody follows any more");
    cr_assert_eq(runtime_files_remove(AT_FDCWD, directory, &err), 0);
}

static bool has(const void *text)
{
    return f.is_over || str_contains(buf_str(&f.got), str_from_cstr(text));
}

static bool is_over(const void *arg)
{
    (void)arg;
    return f.is_over;
}

static void ask(const char *what)
{
    char text[512];
    int n =
        snprintf(text, sizeof(text),
                 "GET /containerLogs/ns/%s HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n", what);

    http_fixture_say(&f, text, (size_t)n);
}

/* The body without its chunks' lengths. */
static struct str body(struct arena *a)
{
    struct str rest = buf_str(&f.got), line;
    struct buf b;

    buf_init_arena(&b, a, rest.len + 1);
    rest = str_tail(rest, (size_t)str_find_str(rest, STR("\r\n\r\n")) + 4);
    while (rest.len) {
        size_t n = 0;

        line = str_sub(rest, 0, (size_t)str_find_str(rest, STR("\r\n")));
        for (size_t i = 0; i < line.len; i++) {
            char c = line.p[i];

            n = n * 16 + (size_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        }
        rest = str_tail(rest, line.len + 2);
        buf_append_str(&b, str_sub(rest, 0, n));
        rest = str_tail(rest, n + 2);
    }
    return buf_str(&b);
}

static void gives(const char *query, const char *wanted)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str got;

    ask(arena_printf(&a, "p/c%s", query).p);
    http_fixture_until(&f, is_over, NULL);
    cr_assert(str_has_prefix(buf_str(&f.got), STR("HTTP/1.1 200 ")), "%s: %.*s", query,
              STR_ARG(buf_str(&f.got)));
    got = body(&a);
    cr_expect(str_eq(got, str_from_cstr(wanted)), "%s: %.*s", query, STR_ARG(got));
    (void)close(f.fd);
    http_fixture_connect(&f);
}

Test(log_stream, gives_what_is_asked_for)
{
    static const struct {
        const char *query, *wanted;
    } cases[] = {
        { "", "one\ntwo\nthree\nfour\n" },
        { "?tailLines=1", "four\n" },
        { "?tailLines=2", "ee\nfour\n" }, /* lines of the file, as upstream counts */
        { "?tailLines=0", "" },
        { "?tailLines=99", "one\ntwo\nthree\nfour\n" },
        { "?limitBytes=5", "one\nt" },
        { "?tailLines=1&limitBytes=2", "fo" },
        { "?timestamps=True", T "0.5Z one\n" T "1.0Z two\n" T "2.0Z three\n" T "4.0Z four\n" },
        { "?timestamps=false&tailLines=1", "four\n" },
        { "?sinceTime=2020-01-01T00%3A00%3A02Z", "three\nfour\n" },
        { "?sinceTime=2020-01-01T01:00:04%2B01:00", "four\n" },
        { "?sinceTime=2100-01-01T00:00:00Z", "" },
        { "?sinceSeconds=60", "" },
        { "?stream=Stderr", "two\n" },
        { "?stream=Stdout&tailLines=1", "four\n" },
        { "?follow=true", "one\ntwo\nthree\nfour\n" }, /* it is over: as far as it goes */
    };

    start(ten);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        gives(cases[i].query, cases[i].wanted);
    stop();
}

Test(log_stream, bears_what_no_runtime_writes)
{
    start("");
    gives("", "");
    append("\n \nno log\n" T "0Z stdout\n" T "0Z stdout F\n" T "1Z stdout F  two  spaces \n"
           "never stdout F time\n" T "2Z stdout F no end");
    gives("", "\n two  spaces \ntime\n");
    gives("?sinceTime=2020-01-01T00:00:01Z", " two  spaces \n");
    stop();
}

Test(log_stream, refuses)
{
    static const struct {
        const char *what, *status, *text;
    } cases[] = {
        { "nobody/c", "404", "pod \"nobody_ns\" not found" },
        { "p/waits", "400", "is waiting to start" },
        { "p/c?previous=1", "400", "is waiting to start" },
        { "p/c?tailLines=-1", "400", "invalid log options" },
        { "p/c?limitBytes=x", "400", "invalid log options" },
        { "p/c?sinceTime=yesterday", "400", "invalid log options" },
    };

    start(ten);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask(cases[i].what);
        http_fixture_until(&f, is_over, NULL);
        cr_expect(str_eq(str_sub(buf_str(&f.got), 9, 12), str_from_cstr(cases[i].status)), "%s",
                  cases[i].what);
        cr_expect(has(cases[i].text));
        cr_expect(str_contains(buf_str(&f.got), str_from_cstr(cases[i].text)), "%s: %.*s",
                  cases[i].what, STR_ARG(buf_str(&f.got)));
        (void)close(f.fd);
        http_fixture_connect(&f);
    }
    cr_assert_eq(unlink(path), 0);
    ask("p/c");
    http_fixture_until(&f, is_over, NULL);
    cr_expect(str_contains(buf_str(&f.got), STR("failed to open log file")));
    append("");
    stop();
}

Test(log_stream, links_are_not_followed)
{
    char other[128];

    start(ten);
    (void)snprintf(other, sizeof(other), "%s/other", directory);
    cr_assert_eq(rename(path, other), 0);
    cr_assert_eq(symlink(other, path), 0);
    ask("p/c");
    http_fixture_until(&f, is_over, NULL);
    cr_expect_not(str_contains(buf_str(&f.got), STR("four")));
    stop();
}

/* --- following --- */

static void follow(const char *query)
{
    is_running = true;
    start(T "0Z stdout F one\n");
    ask(query);
}

Test(log_stream, follows_growth_to_the_end)
{
    follow("p/c?follow=True");
    http_fixture_until(&f, has, "one\n");
    append(T "1Z stdout F two\n");
    http_fixture_until(&f, has, "two\n");
    append(T "2Z stdout F ha"); /* half a line is none yet */
    for (int i = 0; i < 20; i++)
        loop_turn(f.loop);
    http_fixture_read(&f);
    cr_expect_not(str_contains(buf_str(&f.got), STR("ha")));
    append("lf\n");
    http_fixture_until(&f, has, "half\n");
    append(T "3Z stdout F last\n");
    log_stream_ended(&server, STR("other"));
    for (int i = 0; i < 20; i++)
        loop_turn(f.loop);
    cr_expect_not(f.is_over);
    log_stream_ended(&server, STR("id1"));
    http_fixture_until(&f, is_over, NULL);
    cr_expect(str_contains(buf_str(&f.got), STR("last\n")));
    stop();
}

/* As conmon does: what is new comes under another name first. */
Test(log_stream, follows_into_the_next_file)
{
    char old[128], new[128];

    follow("p/c?follow=1&tailLines=0");
    http_fixture_until(&f, has, "\r\n\r\n");
    (void)snprintf(old, sizeof(old), "%s.20200101", path);
    (void)snprintf(new, sizeof(new), "%s.tmp", path);
    for (int i = 0; i < 3; i++) {
        struct err err;
        char text[64];

        cr_assert_eq(rename(path, old), 0);
        for (int k = 0; k < 10; k++)
            loop_turn(f.loop);
        cr_assert_eq(runtime_files_write(new, STR(""), 0600, &err), 0);
        cr_assert_eq(rename(new, path), 0);
        (void)snprintf(text, sizeof(text), T "%dZ stdout F file%d\n", i + 1, i);
        append(text);
        (void)snprintf(text, sizeof(text), "file%d\n", i);
        http_fixture_until(&f, has, text);
    }
    cr_expect_not(f.is_over);
    log_stream_ended(&server, STR("id1"));
    http_fixture_until(&f, is_over, NULL);
    stop();
}

Test(log_stream, follows_up_to_a_limit)
{
    follow("p/c?follow=true&limitBytes=6");
    http_fixture_until(&f, has, "one\n");
    append(T "1Z stdout F two\n");
    http_fixture_until(&f, is_over, NULL);
    cr_expect(str_contains(buf_str(&f.got), STR("tw")));
    cr_expect_not(str_contains(buf_str(&f.got), STR("two")));
    stop();
}

Test(log_stream, a_client_that_leaves_is_forgotten)
{
    follow("p/c?follow=true");
    http_fixture_until(&f, has, "one\n");
    cr_expect_not(list_is_empty(&server.logs));
    (void)close(f.fd);
    http_fixture_connect(&f);
    for (int i = 0; i < 1000 && !list_is_empty(&server.logs); i++)
        loop_turn(f.loop);
    stop();
}
