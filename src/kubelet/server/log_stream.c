/* A container's log: lines of CRI's form ("TIME STREAM P|F TEXT") to what was written, from the
 * place where it is wanted, as far as it goes, or on as it grows. Read when the client can take
 * more, never as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "codec/time_text.h"
#include "io/loop.h"
#include "kubelet/server/server_internal.h"

enum {
    CHUNK_BYTES = 32768,
    LINE_MAX_BYTES = 1 << 20,
    FILE_EVENTS = IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF
};

struct log_options {
    bool follow, previous, timestamps;
    bool has_since;
    int64_t since_ns;
    int64_t tail_lines;  /* -1: all */
    int64_t limit_bytes; /* -1: none */
    struct str stream;   /* "", "stdout", "stderr" */
};

struct log_stream {
    struct list link; /* in the server's, when it follows */
    struct kubelet_server *server;
    struct http_request *request;
    struct http_source source;
    struct log_options o;
    char *path, *container_id;
    int fd, next_fd, notify_fd; /* next_fd: the file has been turned over; -1: not */
    struct loop_watch watch;
    struct buf line; /* read, without its end yet */
    size_t at;       /* of what is not looked at yet in it */
    int64_t left;    /* of limit_bytes */
    bool is_live, was_moved, in_partial, skip_partial;
};

/* --- options --- */

static bool read_number(const struct server_request *r, struct str name, int64_t min, int64_t *ret)
{
    struct str text = server_param(r, name, 0);

    if (!text.len)
        return true;
    return str_to_i64(text, ret) && *ret >= min;
}

static bool read_options(const struct server_request *r, struct log_options *o)
{
    const struct clock *clock = loop_clock(r->server->o.loop);
    struct str since_time = server_param(r, STR("sinceTime"), 0);
    struct str stream = server_param(r, STR("stream"), 0);
    int64_t seconds = -1, sec;
    int32_t nsec;

    *o = (struct log_options){ .follow = server_flag(r, STR("follow")),
                               .previous = server_flag(r, STR("previous")),
                               .timestamps = server_flag(r, STR("timestamps")),
                               .tail_lines = -1,
                               .limit_bytes = -1 };
    if (!read_number(r, STR("tailLines"), 0, &o->tail_lines) ||
        !read_number(r, STR("limitBytes"), 1, &o->limit_bytes) ||
        !read_number(r, STR("sinceSeconds"), 0, &seconds))
        return false;
    if (str_eq(stream, STR("Stdout")))
        o->stream = STR("stdout");
    else if (str_eq(stream, STR("Stderr")))
        o->stream = STR("stderr");
    if (seconds >= 0) {
        o->has_since = true;
        o->since_ns = clock->wall_ns(clock) - seconds * 1000000000;
    }
    if (!since_time.len)
        return true;
    if (!time_text_parse(since_time, &sec, &nsec))
        return false;
    o->has_since = true;
    o->since_ns = sec * 1000000000 + nsec;
    return true;
}

/* --- where the last lines begin --- */

/* From the end backwards, block by block: the place behind the (n+1)-th last end of a line, of the
 * file's lines as upstream counts them. */
static off_t tail_place(int fd, int64_t n)
{
    char block[CHUNK_BYTES];
    struct stat st;
    off_t end;

    if (fstat(fd, &st) < 0)
        return 0;
    end = st.st_size;
    if (n == 0)
        return end;
    while (end > 0) {
        off_t start = MAX(end - (off_t)sizeof(block), (off_t)0);
        ssize_t got = pread(fd, block, (size_t)(end - start), start);

        if (got <= 0)
            return 0;
        for (ssize_t i = got - 1; i >= 0; i--) {
            off_t place = start + i + 1;

            if (block[i] == '\n' && place != st.st_size && --n == 0)
                return place;
        }
        end = start;
    }
    return 0;
}

/* --- lines --- */

static bool is_wanted(const struct log_stream *l, struct str time, struct str stream)
{
    int64_t sec;
    int32_t nsec;

    if (l->o.stream.len && !str_eq(stream, l->o.stream))
        return false;
    return !l->o.has_since ||
           (time_text_parse(time, &sec, &nsec) && sec * 1000000000 + nsec >= l->o.since_ns);
}

static void append_limited(struct log_stream *l, struct buf *out, struct str text)
{
    if (l->left >= 0) {
        text = str_sub(text, 0, (size_t)MIN((int64_t)text.len, l->left));
        l->left -= (int64_t)text.len;
    }
    buf_append_str(out, text);
}

/* One line of the file. Pieces of a long line come one after the other; the time stands once. */
static void append_line(struct log_stream *l, struct buf *out, struct str line)
{
    struct str rest = line, time = STR_NULL, stream = STR_NULL, tag = STR_NULL;
    bool is_part;

    if (!str_next(&rest, ' ', &time) || !str_next(&rest, ' ', &stream) ||
        !str_next(&rest, ' ', &tag))
        return; /* nothing of a runtime's */
    is_part = str_eq(tag, STR("P"));
    if (!l->in_partial)
        l->skip_partial = !is_wanted(l, time, stream);
    if (!l->skip_partial) {
        if (l->o.timestamps && !l->in_partial) {
            /* conmon's UTC is +00:00, users know it as Z. */
            bool is_utc = str_has_suffix(time, STR("+00:00"));

            append_limited(l, out, is_utc ? str_sub(time, 0, time.len - 6) : time);
            append_limited(l, out, is_utc ? STR("Z ") : STR(" "));
        }
        append_limited(l, out, rest);
        if (!is_part)
            append_limited(l, out, STR("\n"));
    }
    l->in_partial = is_part;
}

static void append_lines(struct log_stream *l, struct buf *out)
{
    size_t start = 0;

    for (; l->at < l->line.len && l->left != 0; l->at++)
        if (l->line.p[l->at] == '\n') {
            append_line(l, out, str_n(l->line.p + start, l->at - start));
            start = l->at + 1;
        }
    buf_drop(&l->line, start);
    l->at -= start;
    if (l->line.len > LINE_MAX_BYTES)
        l->line.len = l->at = 0; /* no runtime writes such */
}

/* --- the source --- */

/* The writer has begun a new file: the old one grows no more, and may have a rest. */
static bool open_next(struct log_stream *l)
{
    l->next_fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return l->next_fd >= 0;
}

static void turn_over(struct log_stream *l)
{
    (void)close(l->fd);
    l->fd = l->next_fd;
    l->next_fd = -1;
    l->was_moved = false;
    (void)inotify_add_watch(l->notify_fd, l->path, FILE_EVENTS);
}

static int pull(struct http_source *s, struct buf *out, size_t hint_bytes)
{
    struct log_stream *l = CONTAINER_OF(s, struct log_stream, source);
    size_t before = out->len;

    (void)hint_bytes;
    while (out->len == before && l->left != 0) {
        ssize_t n = read(l->fd, buf_reserve(&l->line, CHUNK_BYTES), CHUNK_BYTES);

        if (n < 0)
            return ERR_CLOSED;
        if (n > 0) {
            l->line.len += (size_t)n;
            append_lines(l, out);
        } else if (l->next_fd >= 0) {
            turn_over(l);
        } else if (!l->was_moved || !open_next(l)) {
            return l->o.follow && l->is_live ? HTTP_SOURCE_WAIT : HTTP_SOURCE_END;
        }
    }
    return l->left == 0 ? HTTP_SOURCE_END : HTTP_SOURCE_MORE;
}

static void done(struct http_source *s)
{
    struct log_stream *l = CONTAINER_OF(s, struct log_stream, source);

    list_remove(&l->link);
    loop_watch_close(&l->watch);
    if (l->notify_fd >= 0)
        (void)close(l->notify_fd);
    (void)close(l->fd);
    if (l->next_fd >= 0)
        (void)close(l->next_fd);
    buf_done(&l->line);
    http_request_unref(l->request);
    mem_free(l->path);
    mem_free(l->container_id);
    mem_free(l);
}

static void on_notify(struct loop_watch *w, int events)
{
    struct log_stream *l = CONTAINER_OF(w, struct log_stream, watch);
    char buffer[4096] __attribute__((aligned(8)));
    ssize_t n = read(l->notify_fd, buffer, sizeof(buffer));

    (void)events;
    for (ssize_t at = 0; n > 0 && at + (ssize_t)sizeof(struct inotify_event) <= n;) {
        const struct inotify_event *e = (const struct inotify_event *)(void *)(buffer + at);

        l->was_moved |= (e->mask & (IN_MOVE_SELF | IN_DELETE_SELF)) != 0;
        at += (ssize_t)(sizeof(*e) + e->len);
    }
    http_source_wake(l->request);
}

static int follow(struct log_stream *l, const char *directory)
{
    l->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (l->notify_fd < 0 || inotify_add_watch(l->notify_fd, l->path, FILE_EVENTS) < 0 ||
        inotify_add_watch(l->notify_fd, directory, IN_CREATE | IN_MOVED_TO) < 0 ||
        loop_watch_open(&l->watch, l->server->o.loop, l->notify_fd, on_notify) < 0)
        return -1;
    loop_watch_want(&l->watch, LOOP_READABLE);
    list_append(&l->server->logs, &l->link);
    return 0;
}

static struct str directory_of(struct str path)
{
    size_t n = path.len;

    while (n && path.p[n - 1] != '/')
        n--;
    return str_sub(path, 0, n);
}

void log_stream_serve(const struct server_request *r)
{
    static const struct http_header type = { STR_INIT("content-type"), STR_INIT("text/plain") };
    const struct kubelet_view *v = r->server->o.view;
    struct server_container c;
    struct log_options o;
    struct log_stream *l;
    bool is_running = false;
    struct str path;
    struct err err;

    if (!server_find_container(r, &c))
        return;
    if (!read_options(r, &o)) {
        server_answer_text(r, 400, STR("invalid log options\n"));
        return;
    }
    path = v->log_path(v->arg, c.pod->meta->uid, c.container, o.previous, &is_running, &err);
    if (!path.len) {
        server_answer_text(r, 400, arena_printf(r->arena, "%s\n", err.text));
        return;
    }
    l = NEW(struct log_stream);
    l->fd = open(str_cstr(r->arena, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (l->fd < 0) {
        mem_free(l);
        server_answer_text(
            r, 500, arena_printf(r->arena, "failed to open log file \"%.*s\"\n", STR_ARG(path)));
        return;
    }
    l->server = r->server;
    l->request = r->http;
    http_request_ref(r->http);
    l->o = o;
    l->path = str_heap_cstr(path);
    l->container_id = str_heap_cstr(c.id);
    l->next_fd = l->notify_fd = -1;
    l->left = o.limit_bytes;
    l->is_live = is_running;
    list_init(&l->link);
    if (o.tail_lines >= 0)
        (void)lseek(l->fd, tail_place(l->fd, o.tail_lines), SEEK_SET);
    if (o.follow && is_running && follow(l, str_cstr(r->arena, directory_of(path))) < 0)
        l->is_live = false; /* as far as it goes */
    l->source = (struct http_source){ .pull = pull, .done = done };
    http_respond_source(r->http, 200, &type, 1, -1, &l->source);
}

void log_stream_ended(struct kubelet_server *s, struct str container_id)
{
    LIST_FOREACH_SAFE(n, &s->logs) {
        struct log_stream *l = CONTAINER_OF(n, struct log_stream, link);

        if (!str_eq(str_from_cstr(l->container_id), container_id))
            continue;
        l->is_live = false;
        http_source_wake(l->request);
    }
}

void log_stream_stop_all(struct kubelet_server *s)
{
    LIST_FOREACH_SAFE(n, &s->logs) {
        struct log_stream *l = CONTAINER_OF(n, struct log_stream, link);

        l->is_live = false;
        http_source_wake(l->request);
    }
}
