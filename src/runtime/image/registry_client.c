#include "runtime/image/registry_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/version.h"
#include "codec/base64.h"
#include "codec/digest.h"
#include "runtime/image/image_manifest.h"
#include "runtime/image/registries.h"
#include "runtime/image/registry_auth.h"

enum {
    PARALLEL = 3,
    MAX_TRIES = 4,
    MAX_REDIRECTS = 5,
    CONNECT_SECONDS = 30,
    STALL_SECONDS = 60, /* without a byte */
    ERROR_BODY_BYTES = 64 << 10,
    READ_BYTES = 64 << 10,
};

struct registry_client {
    struct arena arena;
    const struct registry_place *place;
    const struct runtime_auth *auth; /* or NULL */
    struct str repository;
    const char *authorization; /* the header; NULL: none yet */
    CURLM *multi;
    bool has_connected, is_on_loopback, was_refused;
};

struct transfer {
    struct registry_client *c;
    CURL *easy;
    struct curl_slist *headers;
    const char *url;
    const struct registry_blob *blob; /* NULL: into body */
    struct digest *digest;            /* of the blob's bytes so far */
    uint64_t got, got_before;
    struct buf body;
    size_t limit;
    char challenge[8192], content_digest[DIGEST_TEXT_BYTES];
    char curl_text[CURL_ERROR_SIZE];
    bool is_too_large, is_active;
    bool was_authorized; /* the header that was sent was a fresh one */
    int write_errno, tries;
    long status;
};

/* --- connections --- */

static bool is_v4(uint32_t address, uint32_t net, int bits)
{
    return (address ^ net) >> (32 - bits) == 0;
}

static bool is_link_local(const struct sockaddr *a, bool *ret_is_loopback)
{
    uint32_t v4;

    if (a->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;

        if (!IN6_IS_ADDR_V4MAPPED(v6)) {
            *ret_is_loopback = IN6_IS_ADDR_LOOPBACK(v6) || IN6_IS_ADDR_UNSPECIFIED(v6);
            return IN6_IS_ADDR_LINKLOCAL(v6) || IN6_IS_ADDR_MULTICAST(v6);
        }
        memcpy(&v4, &v6->s6_addr[12], sizeof(v4));
    } else {
        v4 = ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr;
    }
    v4 = ntohl(v4);
    *ret_is_loopback = is_v4(v4, INADDR_LOOPBACK, 8) || is_v4(v4, INADDR_ANY, 8);
    return is_v4(v4, 0xA9FE0000, 16) || is_v4(v4, 0xE0000000, 3);
}

/* The address that is really connected to is looked at, whatever name led to it. The first
 * connection is the registry's own (or the proxy's): it may be loopback, then others may. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct registry_client *c = arg;
    bool is_loopback = false, is_refused = is_link_local(&a->addr, &is_loopback);

    (void)purpose;
    if (!c->has_connected)
        c->is_on_loopback = is_loopback;
    else
        is_refused |= is_loopback && !c->is_on_loopback;
    c->has_connected = true;
    if (is_refused) {
        c->was_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* --- one transfer --- */

static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

static int restart_blob(struct transfer *t)
{
    digest_free(t->digest);
    t->digest = digest_new();
    t->got = 0;
    return ftruncate(t->blob->fd, 0) < 0 || lseek(t->blob->fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

static size_t on_blob(struct transfer *t, const char *p, size_t n)
{
    int r;

    /* The whole, though only the rest was asked for. */
    if (t->status == 200 && t->got_before) {
        t->got_before = 0;
        t->write_errno = restart_blob(t);
        if (t->write_errno)
            return 0;
    }
    if (n > t->blob->size - t->got) {
        t->is_too_large = true;
        return 0;
    }
    r = write_all(t->blob->fd, p, n);
    if (r < 0) {
        t->write_errno = r;
        return 0;
    }
    digest_update(t->digest, str_n(p, n));
    t->got += n;
    return n;
}

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    bool is_error;

    (void)one;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    is_error = t->status != 200 && t->status != 206;
    if (t->blob && !is_error)
        return on_blob(t, p, n);
    if (t->body.len + n > (is_error ? (size_t)ERROR_BODY_BYTES : t->limit)) {
        t->is_too_large = !is_error;
        return is_error ? n : 0;
    }
    buf_append(&t->body, p, n);
    return n;
}

static void keep_header(struct str line, struct str name, char *ret, size_t size)
{
    struct str head, tail;

    if (str_cut(line, ':', &head, &tail) && str_eq_nocase(head, name) && !ret[0])
        (void)snprintf(ret, size, "%.*s", STR_ARG(str_trim(tail)));
}

static size_t on_header(char *p, size_t one, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct str line = str_n(p, n);

    (void)one;
    if (str_has_prefix(line, STR("HTTP/"))) { /* of a redirect's target as well */
        t->challenge[0] = t->content_digest[0] = '\0';
        buf_reset(&t->body);
    }
    keep_header(line, STR("WWW-Authenticate"), t->challenge, sizeof(t->challenge));
    keep_header(line, STR("Docker-Content-Digest"), t->content_digest, sizeof(t->content_digest));
    return n;
}

static void set_connection(struct transfer *t)
{
    const struct registry_place *place = t->c->place;
    const char *schemes = str_has_prefix(place->base, STR("https:")) ? "https" : "http,https";
    CURL *e = t->easy;

    (void)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, schemes);
    (void)curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, schemes);
    (void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    (void)curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t->c);
    if (place->ca_file.len)
        (void)curl_easy_setopt(e, CURLOPT_CAINFO, str_cstr(&t->c->arena, place->ca_file));
    if (place->skip_verify) {
        (void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static int transfer_init(struct transfer *t, const char *authorization, struct err *err)
{
    if (t->easy)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    t->easy = curl_easy_init();
    if (!t->easy)
        return err_set(err, -ENOMEM, "libcurl");
    t->write_errno = 0;
    t->status = 0;
    t->is_too_large = false;
    t->got_before = t->got;
    buf_reset(&t->body);
    set_connection(t);
    if (authorization)
        t->headers = curl_slist_append(t->headers, authorization);
    t->headers = curl_slist_append(
        t->headers,
        arena_printf(&t->c->arena, "Accept: %s", t->blob ? "*/*" : image_manifest_accept()).p);
    (void)curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
    (void)curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    (void)curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "pintle/" VERSION_PINTLE);
    (void)curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    (void)curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    (void)curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->curl_text);
    (void)curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    if (t->blob && t->got)
        (void)curl_easy_setopt(t->easy, CURLOPT_RANGE,
                               arena_printf(&t->c->arena, "%llu-", (unsigned long long)t->got).p);
    return 0;
}

static void transfer_done(struct transfer *t)
{
    if (t->is_active)
        (void)curl_multi_remove_handle(t->c->multi, t->easy);
    if (t->easy)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    digest_free(t->digest);
    buf_done(&t->body);
}

static int failure(struct transfer *t, CURLcode code, struct err *err)
{
    struct registry_client *c = t->c;
    long os_errno = 0;

    if (t->write_errno)
        return err_errno(err, -t->write_errno, "write an image's layer");
    if (t->is_too_large)
        return err_set(err, ERR_TOO_LARGE, "%s: more bytes than there may be", t->url);
    if (c->was_refused)
        return err_set(err, ERR_DENIED,
                       "failed to do request: Get \"%s\": led to an address that registries may "
                       "not name",
                       t->url);
    /* libcurl does not say why nobody answers. */
    if (code == CURLE_COULDNT_CONNECT)
        (void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    return err_set(err, ERR_PROTOCOL, "failed to do request: Get \"%s\": %s%s%s", t->url,
                   t->curl_text[0] ? t->curl_text : curl_easy_strerror(code), os_errno ? ": " : "",
                   os_errno ? err_name(-(int)os_errno) : "");
}

static int bad_status(struct transfer *t, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str words = registry_auth_error(&a, buf_str(&t->body));

    if (t->status == 404)
        return err_set(err, ERR_NOT_FOUND, "not found");
    if (t->status == 401 || t->status == 403)
        return err_set(err, ERR_DENIED,
                       "pull access denied, repository does not exist or may require "
                       "authorization: server message: %.*s",
                       STR_ARG(words.len ? words : STR("authorization failed")));
    return err_set(err, ERR_PROTOCOL, "unexpected status from GET request to %s: %ld%s%.*s", t->url,
                   t->status, words.len ? ": " : "", STR_ARG(words));
}

/* --- authentication --- */

static const char *basic(struct registry_client *c, struct str username, struct str password)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct str both = arena_printf(&c->arena, "%.*s:%.*s", STR_ARG(username), STR_ARG(password));

    buf_append_lit(&b, "Authorization: Basic ");
    base64_encode(&b, both);
    return str_cstr(&c->arena, buf_str(&b));
}

/* The Pod's credentials, else the registries file's. */
static const char *basic_credentials(struct registry_client *c)
{
    if (c->auth && (c->auth->username.len || c->auth->password.len))
        return basic(c, c->auth->username, c->auth->password);
    if (c->place->username.len)
        return basic(c, c->place->username, c->place->password);
    return NULL;
}

static void token_query(struct registry_client *c, const struct registry_challenge *ch,
                        struct buf *b)
{
    struct str scope =
        ch->scope.len ? ch->scope
                      : arena_printf(&c->arena, "repository:%.*s:pull", STR_ARG(c->repository));

    buf_append_lit(b, "scope=");
    registry_auth_escape(b, scope);
    if (ch->service.len) {
        buf_append_lit(b, "&service=");
        registry_auth_escape(b, ch->service);
    }
}

static int ask_for_token(struct registry_client *c, struct transfer *t,
                         const struct registry_challenge *ch, struct err *err)
{
    bool has_identity = c->auth && c->auth->identity_token.len > 0;
    CLEANUP(buf_done) struct buf b = { 0 };
    CURLcode code;
    int r;

    if (!has_identity) {
        buf_append_str(&b, ch->realm);
        buf_append_char(&b, str_find(ch->realm, '?') >= 0 ? '&' : '?');
        token_query(c, ch, &b);
        t->url = str_cstr(&c->arena, buf_str(&b));
        r = transfer_init(t, basic_credentials(c), err);
    } else {
        token_query(c, ch, &b);
        buf_append_lit(&b, "&grant_type=refresh_token&client_id=pintle&refresh_token=");
        registry_auth_escape(&b, c->auth->identity_token);
        t->url = str_cstr(&c->arena, ch->realm);
        r = transfer_init(t, NULL, err);
        if (r == 0)
            (void)curl_easy_setopt(t->easy, CURLOPT_COPYPOSTFIELDS, buf_cstr(&b));
    }
    if (r < 0)
        return r;
    (void)curl_easy_setopt(t->easy, CURLOPT_TIMEOUT, (long)STALL_SECONDS);
    code = curl_easy_perform(t->easy);
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    if (code != CURLE_OK)
        return failure(t, code, err);
    return t->status == 200 ? 0 : bad_status(t, err);
}

static int fetch_token(struct registry_client *c, const struct registry_challenge *ch,
                       struct err *err)
{
    struct transfer t = { .c = c, .limit = 1 << 20 };
    struct str token = STR_NULL;
    int r;

    if (!str_has_prefix(ch->realm, STR("https://")) &&
        !(str_has_prefix(ch->realm, STR("http://")) &&
          str_has_prefix(c->place->base, STR("http://"))))
        return err_set(err, ERR_DENIED, "the registry's token server is at '%.*s'",
                       STR_ARG(str_sub(ch->realm, 0, 200)));
    r = ask_for_token(c, &t, ch, err);
    if (r == 0) {
        token = registry_auth_token(&c->arena, str_dup(&c->arena, buf_str(&t.body)));
        if (!token.len)
            r = err_set(err, ERR_PROTOCOL, "the token server's answer has no token");
    }
    transfer_done(&t);
    if (r < 0)
        return err_wrap(err, "failed to authorize: failed to fetch %s token",
                        basic_credentials(c) ? "oauth" : "anonymous");
    c->authorization = arena_printf(&c->arena, "Authorization: Bearer %.*s", STR_ARG(token)).p;
    return 0;
}

/* After a 401: a header worth another try. 1: there is none. */
static int authenticate(struct transfer *t, struct err *err)
{
    struct registry_client *c = t->c;
    struct registry_challenge ch = registry_auth_challenge(&c->arena, str_from_cstr(t->challenge));
    long redirects = 0;

    /* What a redirect's target asks for is not the registry's business. */
    (void)curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_COUNT, &redirects);
    if (redirects || t->was_authorized || (c->auth && c->auth->registry_token.len))
        return 1;
    t->was_authorized = true;
    if (ch.scheme == REGISTRY_AUTH_BEARER)
        return fetch_token(c, &ch, err);
    if (ch.scheme != REGISTRY_AUTH_BASIC || !basic_credentials(c))
        return 1;
    c->authorization = basic_credentials(c);
    return 0;
}

/* --- running them --- */

static int start(struct transfer *t, struct err *err)
{
    int r = transfer_init(t, t->c->authorization, err);

    if (r < 0)
        return r;
    t->tries++;
    if (curl_multi_add_handle(t->c->multi, t->easy) != CURLM_OK)
        return err_set(err, -ENOMEM, "libcurl");
    t->is_active = true;
    return 0;
}

static int check_blob(struct transfer *t, struct err *err)
{
    char actual[DIGEST_TEXT_BYTES];

    if (t->got != t->blob->size)
        return err_set(err, ERR_CORRUPT, "failed size validation: %llu != %llu",
                       (unsigned long long)t->got, (unsigned long long)t->blob->size);
    digest_finish_text(t->digest, actual);
    if (str_eq(str_from_cstr(actual), t->blob->digest))
        return 0;
    (void)restart_blob(t); /* or it would be taken up again */
    return err_set(err, ERR_CORRUPT, "unexpected commit digest %s, expected %.*s", actual,
                   STR_ARG(t->blob->digest));
}

/* 1: goes on by another request. */
static int finish(struct transfer *t, CURLcode code, struct err *err)
{
    int r;

    (void)curl_multi_remove_handle(t->c->multi, t->easy);
    t->is_active = false;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
    if (code != CURLE_OK) {
        /* Cut off in the middle: the rest is asked for. */
        if (t->blob && t->got > t->got_before && t->tries < MAX_TRIES && !t->write_errno &&
            !t->is_too_large && !t->c->was_refused)
            return start(t, err) < 0 ? err->code : 1;
        return failure(t, code, err);
    }
    if (t->status == 401) {
        r = authenticate(t, err);
        if (r == 0)
            return start(t, err) < 0 ? err->code : 1;
        return r < 0 ? r : bad_status(t, err);
    }
    if (t->status == 416 && t->blob && t->got && t->tries < MAX_TRIES) {
        r = restart_blob(t);
        return r < 0 ? err_errno(err, -r, "write an image's layer")
                     : (start(t, err) < 0 ? err->code : 1);
    }
    if (t->status != 200 && !(t->status == 206 && t->blob))
        return bad_status(t, err);
    return t->blob ? check_blob(t, err) : 0;
}

/* All of them, PARALLEL at a time; the first failure ends it. */
static int run(struct registry_client *c, struct transfer *all, size_t n, struct err *err)
{
    size_t next = 0, active = 0;

    for (;;) {
        int running, left, r;
        CURLMsg *m;

        for (; active < PARALLEL && next < n; next++, active++) {
            r = start(&all[next], err);
            if (r < 0)
                return r;
        }
        if (active == 0)
            return 0;
        if (curl_multi_perform(c->multi, &running) != CURLM_OK)
            return err_set(err, ERR_PROTOCOL, "libcurl");
        while ((m = curl_multi_info_read(c->multi, &left))) {
            struct transfer *t = NULL;

            if (m->msg != CURLMSG_DONE)
                continue;
            (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
            r = finish(t, m->data.result, err);
            if (r < 0)
                return r;
            active -= r == 0;
            running = 0; /* there may be one to begin */
        }
        if (running)
            (void)curl_multi_poll(c->multi, NULL, 0, 1000, NULL);
    }
}

/* --- the whole --- */

struct registry_client *registry_client_new(const struct registry_place *place,
                                            struct str repository, const struct runtime_auth *auth)
{
    struct registry_client *c = NEW(struct registry_client);

    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    c->place = place;
    c->repository = repository;
    c->auth = auth;
    c->multi = curl_multi_init();
    if (auth && auth->registry_token.len)
        c->authorization =
            arena_printf(&c->arena, "Authorization: Bearer %.*s", STR_ARG(auth->registry_token)).p;
    return c;
}

void registry_client_free(struct registry_client *c)
{
    if (!c)
        return;
    (void)curl_multi_cleanup(c->multi);
    curl_global_cleanup();
    arena_done(&c->arena);
    mem_free(c);
}

static const char *url(struct registry_client *c, const char *kind, struct str reference)
{
    return arena_printf(&c->arena, "%.*s/v2/%.*s/%s/%.*s", STR_ARG(c->place->base),
                        STR_ARG(c->repository), kind, STR_ARG(reference))
        .p;
}

int registry_client_get(struct registry_client *c, const char *kind, struct str reference,
                        size_t limit_bytes, struct arena *a, struct registry_answer *ret,
                        struct err *err)
{
    struct transfer t = { .c = c, .url = url(c, kind, reference), .limit = limit_bytes };
    int r = run(c, &t, 1, err);

    if (r == 0) {
        ret->body = str_dup(a, buf_str(&t.body));
        ret->digest = str_dup(a, str_from_cstr(t.content_digest));
    }
    transfer_done(&t);
    return r;
}

/* What the file has of it already. 1: all, and it is right. */
static int take_up(struct transfer *t, struct err *err)
{
    char *bytes = mem_alloc(READ_BYTES);
    ssize_t n;
    int r = 0;

    t->digest = digest_new();
    if (lseek(t->blob->fd, 0, SEEK_SET) < 0)
        r = -errno;
    while (r == 0 && (n = read(t->blob->fd, bytes, READ_BYTES)) != 0) {
        if (n < 0) {
            r = errno == EINTR ? 0 : -errno;
            continue;
        }
        digest_update(t->digest, str_n(bytes, (size_t)n));
        t->got += (uint64_t)n;
    }
    mem_free(bytes);
    if (r == 0 && t->got > t->blob->size)
        r = restart_blob(t);
    if (r < 0)
        return err_errno(err, -r, "read what there is of a layer");
    if (t->got == t->blob->size)
        return check_blob(t, err) == 0;
    return 0;
}

int registry_client_download(struct registry_client *c, const struct registry_blob *blobs, size_t n,
                             struct err *err)
{
    struct transfer *all = ARENA_NEW_ARRAY(&c->arena, struct transfer, n + 1);
    size_t used = 0;
    int r = 0;

    for (size_t i = 0; i < n && r >= 0; i++) {
        struct transfer *t = &all[used++];

        t->c = c;
        t->blob = &blobs[i];
        t->url = url(c, "blobs", blobs[i].digest);
        r = take_up(t, err);
        if (r == 1) { /* nothing is left to do */
            transfer_done(t);
            *t = (struct transfer){ 0 };
            used--;
        }
    }
    if (r >= 0)
        r = run(c, all, used, err);
    for (size_t i = 0; i < used; i++)
        transfer_done(&all[i]);
    return r;
}
