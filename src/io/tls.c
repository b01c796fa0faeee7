#include "io/tls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    TLS_READ_BYTES = 16 * 1024, /* a record */
    TLS_PEER_BYTES = 64 * 1024, /* of a certificate that we look at */
    TLS_PEER_ORGANIZATIONS = 256,
};

struct tls_context {
    /* A lock and not a message: any loop makes sessions, and a reload is one pointer's swap. */
    pthread_mutex_t lock;
    SSL_CTX *ssl; /* under the lock */
    bool is_client;
};

struct tls_session {
    SSL *ssl;
    struct str in;   /* what the BIO reads from; only within a call */
    struct buf *out; /* what it writes to; only within a call */
    bool is_client;
    bool is_peer_bad; /* its certificate does not verify */
    bool has_peer;
    bool was_peer_read;
    struct tls_peer peer;
    struct arena arena; /* of peer */
};

/* --- the BIO between OpenSSL and our buffers --- */

static int bio_read(BIO *b, char *p, size_t size, size_t *ret_len)
{
    struct tls_session *s = BIO_get_data(b);
    size_t n = MIN(size, s->in.len);

    BIO_clear_retry_flags(b);
    if (n == 0) {
        BIO_set_retry_read(b);
        return 0;
    }
    memcpy(p, s->in.p, n);
    s->in = str_tail(s->in, n);
    *ret_len = n;
    return 1;
}

static int bio_write(BIO *b, const char *p, size_t len, size_t *ret_len)
{
    struct tls_session *s = BIO_get_data(b);

    BIO_clear_retry_flags(b);
    if (!s->out)
        return 0;
    buf_append(s->out, p, len);
    *ret_len = len;
    return 1;
}

static long bio_ctrl(BIO *b, int cmd, long n, void *p)
{
    (void)b, (void)n, (void)p;
    return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *bio_method; /* made once, read only afterwards */
static pthread_once_t bio_method_once = PTHREAD_ONCE_INIT;

static void bio_method_make(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pintle");
    if (!bio_method)
        abort();
    (void)BIO_meth_set_read_ex(bio_method, bio_read);
    (void)BIO_meth_set_write_ex(bio_method, bio_write);
    (void)BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

/* --- contexts --- */

static int fail(struct err *err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    int r = err_set(err, ERR_INVALID, "%s: %s", what, reason ? reason : "unknown failure");

    ERR_clear_error();
    return r;
}

static int no_password(char *p, int size, int rw, void *arg)
{
    (void)p, (void)size, (void)rw, (void)arg;
    return 0; /* never ask a terminal */
}

static BIO *bio_of(struct str s)
{
    return BIO_new_mem_buf(s.p ? s.p : "", s.len <= INT_MAX ? (int)s.len : 0);
}

static int use_certificates(SSL_CTX *ssl, struct str pem, struct err *err)
{
    BIO *b = bio_of(pem);
    X509 *x = b ? PEM_read_bio_X509(b, NULL, no_password, NULL) : NULL;
    int r = 0;

    if (!x || SSL_CTX_use_certificate(ssl, x) != 1)
        r = fail(err, "read the certificate");
    X509_free(x);
    while (r == 0 && (x = PEM_read_bio_X509(b, NULL, no_password, NULL))) {
        if (SSL_CTX_add0_chain_cert(ssl, x) != 1) {
            X509_free(x);
            r = fail(err, "read the certificate's chain");
        }
    }
    ERR_clear_error(); /* "no more" is how the list ends */
    BIO_free(b);
    return r;
}

static int use_key(SSL_CTX *ssl, struct str pem, struct err *err)
{
    BIO *b = bio_of(pem);
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;
    int r = 0;

    if (!key || SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1)
        r = fail(err, "read the private key");
    EVP_PKEY_free(key);
    BIO_free(b);
    return r;
}

static int use_ca(SSL_CTX *ssl, bool is_client, struct str pem, struct err *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl);
    BIO *b = bio_of(pem);
    size_t n = 0;
    int r = 0;
    X509 *x;

    while (r == 0 && b && (x = PEM_read_bio_X509(b, NULL, no_password, NULL))) {
        n++;
        if (X509_STORE_add_cert(store, x) != 1 ||
            (!is_client && SSL_CTX_add_client_CA(ssl, x) != 1))
            r = fail(err, "read the certificate authorities");
        X509_free(x);
    }
    if (r == 0 && n == 0)
        r = fail(err, "read the certificate authorities");
    ERR_clear_error();
    BIO_free(b);
    return r;
}

/* A client's bad certificate is noted, not refused: see tls.h. */
static int on_verify_client(int is_ok, X509_STORE_CTX *x)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());

    if (!is_ok) {
        struct tls_session *s = SSL_get_app_data(ssl);

        s->is_peer_bad = true;
    }
    return 1;
}

static const unsigned char alpn_both[] = "\x02h2\x08http/1.1";
static const unsigned char alpn_h1[] = "\x08http/1.1";

static int on_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    const unsigned char *ours = arg ? alpn_h1 : alpn_both;
    unsigned ours_len = arg ? sizeof(alpn_h1) - 1 : sizeof(alpn_both) - 1;
    unsigned char *found;

    (void)ssl;
    if (SSL_select_next_proto(&found, ret_len, ours, ours_len, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = found;
    return SSL_TLSEXT_ERR_OK;
}

static int set_up(SSL_CTX *ssl, const struct tls_options *o, struct err *err)
{
    static char yes; /* its address says: HTTP/1.1 only */
    char groups[] = "X25519:P-256:P-384";
    int r = 0;

    (void)SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                      "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(ssl, groups) != 1)
        return fail(err, "choose ciphers");
    if (o->certificate_pem.len || !o->is_client) {
        r = use_certificates(ssl, o->certificate_pem, err);
        if (r == 0)
            r = use_key(ssl, o->key_pem, err);
    }
    if (r == 0 && o->ca_pem.len)
        r = use_ca(ssl, o->is_client, o->ca_pem, err);
    if (r < 0)
        return r;
    if (o->is_client) {
        SSL_CTX_set_verify(ssl, o->trusts_all ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
        (void)SSL_CTX_set_alpn_protos(ssl, o->without_h2 ? alpn_h1 : alpn_both,
                                      o->without_h2 ? sizeof(alpn_h1) - 1 : sizeof(alpn_both) - 1);
        return 0;
    }
    if (o->ca_pem.len)
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, on_verify_client);
    SSL_CTX_set_alpn_select_cb(ssl, on_alpn, o->without_h2 ? &yes : NULL);
    return 0;
}

static int make_ssl(const struct tls_options *o, SSL_CTX **ret, struct err *err)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    int r;

    if (!ssl)
        return fail(err, "make a TLS context");
    r = set_up(ssl, o, err);
    if (r < 0) {
        SSL_CTX_free(ssl);
        return r;
    }
    *ret = ssl;
    return 0;
}

int tls_context_new(const struct tls_options *o, struct tls_context **ret, struct err *err)
{
    struct tls_context *c;
    SSL_CTX *ssl;
    int r = make_ssl(o, &ssl, err);

    if (r < 0)
        return r;
    (void)pthread_once(&bio_method_once, bio_method_make);
    c = NEW(struct tls_context);
    (void)pthread_mutex_init(&c->lock, NULL);
    c->ssl = ssl;
    c->is_client = o->is_client;
    *ret = c;
    return 0;
}

int tls_context_reload(struct tls_context *c, const struct tls_options *o, struct err *err)
{
    SSL_CTX *ssl, *old;
    int r = make_ssl(o, &ssl, err);

    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&c->lock);
    old = c->ssl;
    c->ssl = ssl;
    (void)pthread_mutex_unlock(&c->lock);
    SSL_CTX_free(old); /* counted: sessions keep it */
    return 0;
}

void tls_context_free(struct tls_context *c)
{
    if (!c)
        return;
    SSL_CTX_free(c->ssl);
    (void)pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

/* --- sessions --- */

static void expect_server(SSL *ssl, struct str name)
{
    unsigned char ip[sizeof(struct in6_addr)];
    char *text = str_heap_cstr(name);

    if (inet_pton(AF_INET, text, ip) == 1 || inet_pton(AF_INET6, text, ip) == 1) {
        (void)X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), text);
    } else {
        (void)SSL_set_tlsext_host_name(ssl, text);
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        (void)SSL_set1_host(ssl, text);
    }
    mem_free(text);
}

struct tls_session *tls_session_new(struct tls_context *c, struct str server_name)
{
    struct tls_session *s = NEW(struct tls_session);
    BIO *b = BIO_new(bio_method);

    (void)pthread_mutex_lock(&c->lock);
    s->ssl = SSL_new(c->ssl);
    (void)pthread_mutex_unlock(&c->lock);
    if (!s->ssl || !b)
        abort(); /* out of memory */
    BIO_set_data(b, s);
    BIO_set_init(b, 1);
    SSL_set_bio(s->ssl, b, b);
    (void)SSL_set_app_data(s->ssl, s);
    arena_init(&s->arena, 0);
    s->is_client = c->is_client;
    if (c->is_client) {
        SSL_set_connect_state(s->ssl);
        expect_server(s->ssl, server_name);
    } else {
        SSL_set_accept_state(s->ssl);
    }
    return s;
}

void tls_session_without_h2(struct tls_session *s)
{
    (void)SSL_set_alpn_protos(s->ssl, alpn_h1, sizeof(alpn_h1) - 1);
}

void tls_session_free(struct tls_session *s)
{
    if (!s)
        return;
    SSL_free(s->ssl);
    arena_done(&s->arena);
    mem_free(s);
}

bool tls_session_is_open(const struct tls_session *s)
{
    return SSL_is_init_finished(s->ssl);
}

static int protocol_error(struct tls_session *s, struct err *err)
{
    unsigned long e = ERR_peek_error();
    const char *reason = ERR_reason_error_string(e);
    long verify = SSL_get_verify_result(s->ssl);
    int r;

    if (s->is_client && verify != X509_V_OK)
        r = err_set(err, ERR_PROTOCOL, "TLS: certificate: %s",
                    X509_verify_cert_error_string(verify));
    else
        r = err_set(err, ERR_PROTOCOL, "TLS: %s", reason ? reason : "broken stream");
    ERR_clear_error();
    return r;
}

int tls_session_read(struct tls_session *s, struct str in, struct buf *plain, struct buf *out,
                     struct err *err)
{
    int r = 0;

    s->in = in;
    s->out = out;
    ERR_clear_error();
    for (;;) {
        size_t n = 0;
        int why;

        if (SSL_read_ex(s->ssl, buf_reserve(plain, TLS_READ_BYTES), TLS_READ_BYTES, &n) == 1) {
            plain->len += n;
            continue;
        }
        why = SSL_get_error(s->ssl, 0);
        if (why == SSL_ERROR_WANT_READ)
            break;
        r = why == SSL_ERROR_ZERO_RETURN ? err_set(err, ERR_CLOSED, "TLS: closed by peer")
                                         : protocol_error(s, err);
        break;
    }
    s->in = STR_NULL;
    s->out = NULL;
    return r;
}

int tls_session_write(struct tls_session *s, struct str plain, struct buf *out, struct err *err)
{
    int r = 0;

    s->out = out;
    ERR_clear_error();
    while (plain.len) {
        size_t n = 0;

        if (SSL_write_ex(s->ssl, plain.p, plain.len, &n) != 1) {
            r = protocol_error(s, err);
            break;
        }
        plain = str_tail(plain, n);
    }
    s->out = NULL;
    return r;
}

void tls_session_end(struct tls_session *s, struct buf *out)
{
    if (!tls_session_is_open(s))
        return;
    s->out = out;
    (void)SSL_shutdown(s->ssl); /* says so; whether the peer answers does not matter */
    ERR_clear_error();
    s->out = NULL;
}

struct str tls_session_alpn(const struct tls_session *s)
{
    const unsigned char *p;
    unsigned len;

    SSL_get0_alpn_selected(s->ssl, &p, &len);
    return str_n((const char *)p, len);
}

/* --- who is it --- */

static struct str entry_text(struct arena *a, X509_NAME_ENTRY *e)
{
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(e));
    struct str s = STR_NULL;

    if (len >= 0)
        s = str_dup(a, str_n((const char *)utf8, (size_t)len));
    OPENSSL_free(utf8);
    return s;
}

static void read_subject(struct tls_session *s, X509_NAME *name)
{
    struct str *orgs = ARENA_NEW_ARRAY(&s->arena, struct str, TLS_PEER_ORGANIZATIONS);
    int n = X509_NAME_entry_count(name);

    for (int i = 0; i < n; i++) {
        X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
        int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(e));

        if (nid == NID_commonName)
            s->peer.common_name = entry_text(&s->arena, e); /* the last one counts */
        else if (nid == NID_organizationName && s->peer.n_organizations < TLS_PEER_ORGANIZATIONS)
            orgs[s->peer.n_organizations++] = entry_text(&s->arena, e);
    }
    s->peer.organizations = orgs;
}

static void read_peer(struct tls_session *s)
{
    X509 *x = SSL_get0_peer_certificate(s->ssl);
    unsigned char *p;
    int len;

    s->was_peer_read = true;
    if (!x || s->is_peer_bad || SSL_get_verify_result(s->ssl) != X509_V_OK)
        return;
    len = i2d_X509(x, NULL);
    if (len <= 0 || len > TLS_PEER_BYTES)
        return;
    p = arena_alloc(&s->arena, (size_t)len, 1);
    s->peer.der = str_n((const char *)p, (size_t)len);
    (void)i2d_X509(x, &p);
    read_subject(s, X509_get_subject_name(x));
    s->has_peer = true;
}

bool tls_session_peer(struct tls_session *s, struct tls_peer *ret)
{
    if (!s->was_peer_read && tls_session_is_open(s))
        read_peer(s);
    if (s->has_peer)
        *ret = s->peer;
    return s->has_peer;
}

bool tls_session_peer_is_stranger(const struct tls_session *s)
{
    return tls_session_is_open(s) && SSL_get0_peer_certificate(s->ssl) &&
           (s->is_peer_bad || SSL_get_verify_result(s->ssl) != X509_V_OK);
}
