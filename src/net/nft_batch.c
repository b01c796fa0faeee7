/* A batch is the bytes of its messages, one after the other. Consecutive changes of one set are
 * elements of one message, as long as it stays below what an attribute can hold. The kernel handles
 * a batch within sendmsg(), so its complaints are there when that returns. */
#include "net/nft_batch.h"

#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/net_internal.h"
#include "net/netlink.h"

enum { MESSAGE_LIMIT_BYTES = 32 * 1024, ELEMENT_MAX_BYTES = 1024 };

struct nft_batch {
    struct buf bytes;
    size_t len;          /* changes */
    size_t open_at;      /* where the message that takes elements begins, if has_open */
    size_t open_list_at; /* and its list of elements */
    bool has_open;
    uint16_t open_type;
    struct nft_set open_set; /* pointers into open_names */
    char open_names[2][NFT_NAME_MAXLEN];
};

void nft_bytes_put(struct nft_bytes *b, const void *p, size_t len)
{
    size_t padded = (len + 3) & ~(size_t)3;

    assert(b->len + padded <= NFT_DATA_BYTES);
    memcpy(b->bytes + b->len, p, len);
    memset(b->bytes + b->len + len, 0, padded - len);
    b->len = (uint8_t)(b->len + padded);
}

void nft_bytes_put_u8(struct nft_bytes *b, uint8_t v)
{
    nft_bytes_put(b, &v, sizeof(v));
}

void nft_bytes_put_port(struct nft_bytes *b, uint16_t host_order)
{
    uint16_t port = htons(host_order);

    nft_bytes_put(b, &port, sizeof(port));
}

void nft_bytes_put_u32(struct nft_bytes *b, uint32_t network_order)
{
    nft_bytes_put(b, &network_order, sizeof(network_order));
}

struct nft_batch *nft_batch_new(void)
{
    return NEW(struct nft_batch);
}

void nft_batch_free(struct nft_batch *b)
{
    if (!b)
        return;
    buf_done(&b->bytes);
    mem_free(b);
}

void nft_batch_reset(struct nft_batch *b)
{
    buf_reset(&b->bytes);
    b->len = 0;
    b->has_open = false;
}

size_t nft_batch_len(const struct nft_batch *b)
{
    return b->len;
}

size_t nft_batch_bytes(const struct nft_batch *b)
{
    return b->bytes.len;
}

static void patch_len(struct buf *b, size_t at, bool is_message)
{
    if (is_message) {
        uint32_t len = (uint32_t)(b->len - at);

        memcpy(b->p + at + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
    } else {
        uint16_t len = (uint16_t)(b->len - at);

        memcpy(b->p + at + offsetof(struct nlattr, nla_len), &len, sizeof(len));
    }
}

static void put_message(struct buf *b, uint16_t type, uint16_t flags, uint8_t family,
                        uint16_t resource)
{
    const struct nlmsghdr m = { .nlmsg_len = sizeof(m) + sizeof(struct nfgenmsg),
                                .nlmsg_type = type,
                                .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) };
    const struct nfgenmsg g = { .nfgen_family = family,
                                .version = NFNETLINK_V0,
                                .res_id = htons(resource) };

    buf_append(b, &m, sizeof(m));
    buf_append(b, &g, sizeof(g));
}

static void put_attr(struct buf *b, uint16_t type, const void *p, size_t len)
{
    const struct nlattr a = { .nla_len = (uint16_t)(sizeof(a) + len), .nla_type = type };
    static const char zeros[4];

    buf_append(b, &a, sizeof(a));
    buf_append(b, p, len);
    buf_append(b, zeros, -len & 3);
}

static size_t begin_nest(struct buf *b, uint16_t type)
{
    size_t at = b->len;

    put_attr(b, type | NLA_F_NESTED, NULL, 0);
    return at;
}

static void put_name(struct buf *b, uint16_t type, const char *name)
{
    put_attr(b, type, name, strlen(name) + 1);
}

static void put_value(struct buf *b, uint16_t type, const struct nft_bytes *v)
{
    size_t at = begin_nest(b, type);

    put_attr(b, NFTA_DATA_VALUE, v->bytes, v->len);
    patch_len(b, at, false);
}

static void put_verdict(struct buf *b, const char *chain, bool returns)
{
    uint32_t code = htonl((uint32_t)(returns ? NFT_JUMP : NFT_GOTO));
    size_t data = begin_nest(b, NFTA_SET_ELEM_DATA), verdict = begin_nest(b, NFTA_DATA_VERDICT);

    put_attr(b, NFTA_VERDICT_CODE, &code, sizeof(code));
    put_name(b, NFTA_VERDICT_CHAIN, chain);
    patch_len(b, verdict, false);
    patch_len(b, data, false);
}

static void put_element(struct buf *b, const struct nft_element *e)
{
    uint64_t timeout = htobe64(e->timeout_ms);
    size_t at = begin_nest(b, NFTA_LIST_ELEM);

    put_value(b, NFTA_SET_ELEM_KEY, &e->key);
    if (e->key_end.len)
        put_value(b, NFTA_SET_ELEM_KEY_END, &e->key_end);
    if (e->jump_to)
        put_verdict(b, e->jump_to, e->returns);
    else if (e->data.len)
        put_value(b, NFTA_SET_ELEM_DATA, &e->data);
    if (e->timeout_ms)
        put_attr(b, NFTA_SET_ELEM_TIMEOUT, &timeout, sizeof(timeout));
    patch_len(b, at, false);
}

static bool continues(const struct nft_batch *b, uint16_t type, const struct nft_set *set)
{
    return b->has_open && b->open_type == type && b->open_set.family == set->family &&
           strcmp(b->open_set.table, set->table) == 0 && strcmp(b->open_set.name, set->name) == 0 &&
           b->bytes.len - b->open_at + ELEMENT_MAX_BYTES < MESSAGE_LIMIT_BYTES;
}

static void open_message(struct nft_batch *b, uint16_t type, const struct nft_set *set)
{
    b->has_open = true;
    b->open_type = type;
    b->open_at = b->bytes.len;
    assert(strlen(set->table) < NFT_NAME_MAXLEN && strlen(set->name) < NFT_NAME_MAXLEN);
    memcpy(b->open_names[0], set->table, strlen(set->table) + 1);
    memcpy(b->open_names[1], set->name, strlen(set->name) + 1);
    b->open_set = (struct nft_set){ .family = set->family,
                                    .table = b->open_names[0],
                                    .name = b->open_names[1] };
    put_message(&b->bytes, (NFNL_SUBSYS_NFTABLES << 8) | type,
                type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, set->family, 0);
    put_name(&b->bytes, NFTA_SET_ELEM_LIST_TABLE, set->table);
    put_name(&b->bytes, NFTA_SET_ELEM_LIST_SET, set->name);
    b->open_list_at = begin_nest(&b->bytes, NFTA_SET_ELEM_LIST_ELEMENTS);
    patch_len(&b->bytes, b->open_at, true);
}

static void change(struct nft_batch *b, uint16_t type, const struct nft_set *set,
                   const struct nft_element *e)
{
    if (!continues(b, type, set))
        open_message(b, type, set);
    put_element(&b->bytes, e);
    patch_len(&b->bytes, b->open_list_at, false);
    patch_len(&b->bytes, b->open_at, true);
    b->len++;
}

void nft_batch_add(struct nft_batch *b, const struct nft_set *set, const struct nft_element *e)
{
    change(b, NFT_MSG_NEWSETELEM, set, e);
}

void nft_batch_remove(struct nft_batch *b, const struct nft_set *set, const struct nft_element *e)
{
    change(b, NFT_MSG_DELSETELEM, set, e);
}

void nft_batch_flush_set(struct nft_batch *b, const struct nft_set *set)
{
    size_t at = b->bytes.len;

    put_message(&b->bytes, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELSETELEM, 0, set->family, 0);
    put_name(&b->bytes, NFTA_SET_ELEM_LIST_TABLE, set->table);
    put_name(&b->bytes, NFTA_SET_ELEM_LIST_SET, set->name);
    patch_len(&b->bytes, at, true);
    b->has_open = false;
    b->len++;
}

void nft_batch_delete_table(struct nft_batch *b, uint8_t family, const char *table)
{
    size_t at = b->bytes.len;

    put_message(&b->bytes, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELTABLE, 0, family, 0);
    put_name(&b->bytes, NFTA_TABLE_NAME, table);
    patch_len(&b->bytes, at, true);
    b->has_open = false;
    b->len++;
}

/* What the kernel said, all of which is there already: the first refusal. */
static int read_refusals(int fd, struct err *err)
{
    char in[8192] __attribute__((aligned(8)));
    int first = 0;

    for (;;) {
        ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
        int len = (int)n;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ENOBUFS) { /* more refusals than the socket holds */
            first = first ? first : -ENOBUFS;
            continue;
        }
        if (n < 0)
            break;
        for (const struct nlmsghdr *m = (const void *)in; mnl_nlmsg_ok(m, len);
             m = mnl_nlmsg_next(m, &len)) {
            const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);

            if (m->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(m) >= sizeof(*e) &&
                first == 0)
                first = e->error;
        }
    }
    return first < 0 ? err_errno(err, -first, "nftables: the change was refused") : 0;
}

int nft_batch_commit(struct nft_batch *b, struct netlink *n, struct err *err)
{
    CLEANUP(buf_done) struct buf begin = { 0 };
    CLEANUP(buf_done) struct buf end = { 0 };
    int fd = mnl_socket_get_fd(netlink_socket(n)), size;
    struct iovec iov[3];
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_LEN(iov) };
    struct sockaddr_nl to = { .nl_family = AF_NETLINK };
    ssize_t sent;

    if (b->len == 0)
        return 0;
    put_message(&begin, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    put_message(&end, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    iov[0] = (struct iovec){ begin.p, begin.len };
    iov[1] = (struct iovec){ b->bytes.p, b->bytes.len };
    iov[2] = (struct iovec){ end.p, end.len };
    msg.msg_name = &to;
    msg.msg_namelen = sizeof(to);
    if (b->bytes.len > INT32_MAX / 4)
        return err_set(err, ERR_TOO_LARGE, "nftables: a batch of %zu bytes", b->bytes.len);
    size = (int)MAX(b->bytes.len + 4096, (size_t)256 * 1024);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)); /* sendmsg() tells */
    do
        sent = sendmsg(fd, &msg, 0);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return err_errno(err, errno, "nftables: send");
    return read_refusals(fd, err);
}
