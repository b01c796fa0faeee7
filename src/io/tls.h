/* TLS 1.2 and 1.3 without I/O: ciphertext in, plaintext out, and the other way. A session holds no
 * buffers of ours while it is idle, and OpenSSL gives its own back. No tickets, no resumption, no
 * renegotiation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct buf;
struct err;
struct tls_context;
struct tls_session;

struct tls_options {
    bool is_client;
    struct str certificate_pem; /* chain, leaf first; a client may have none */
    struct str key_pem;
    /* Server: clients are asked for a certificate; one that this does not verify is as none
     * (tls_session_peer() is false), the connection stands, as upstream has it. Unset: not asked.
     * Client: what the server's certificate must verify against; unset: the connection fails. */
    struct str ca_pem;
    bool without_h2; /* ALPN offers or takes http/1.1 only */
    bool trusts_all; /* client: any certificate will do, as probes have it */
};

/* Shared by any number of loops. */
int tls_context_new(const struct tls_options *o, struct tls_context **ret, struct err *err);
/* New sessions use the new certificates, on failure the old ones. Any thread. */
int tls_context_reload(struct tls_context *c, const struct tls_options *o, struct err *err);
void tls_context_free(struct tls_context *c); /* sessions may outlive it; accepts NULL */

/* server_name: client only: SNI, and what the certificate must be for; an IP address is fine. */
struct tls_session *tls_session_new(struct tls_context *c, struct str server_name);
/* A client's session, before its first read: offers http/1.1 only, whatever its context does. */
void tls_session_without_h2(struct tls_session *s);
void tls_session_free(struct tls_session *s); /* accepts NULL */
/* Takes all of in (a client starts with in empty), appends plaintext to plain and what must be sent
 * to out, also on failure (an alert). 0; ERR_CLOSED: the peer ended it properly; ERR_PROTOCOL. */
int tls_session_read(struct tls_session *s, struct str in, struct buf *plain, struct buf *out,
                     struct err *err);
/* Appends records with all of plain to out. Only once tls_session_is_open(). */
int tls_session_write(struct tls_session *s, struct str plain, struct buf *out, struct err *err);
void tls_session_end(struct tls_session *s, struct buf *out); /* close_notify */
bool tls_session_is_open(const struct tls_session *s);        /* the handshake is over */
struct str tls_session_alpn(const struct tls_session *s);     /* "h2", "http/1.1" or unset */

/* The peer's verified certificate's subject; all in the session's memory, made once. */
struct tls_peer {
    struct str common_name;
    const struct str *organizations;
    size_t n_organizations;
    struct str der;
};
bool tls_session_peer(struct tls_session *s, struct tls_peer *ret);
/* Has the peer shown a certificate that does not verify? */
bool tls_session_peer_is_stranger(const struct tls_session *s);
