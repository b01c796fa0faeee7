#include "proxy/proxy_table.h"

#include <netinet/in.h>
#include <stdio.h>

#include <linux/netfilter.h> /* wants to come after netinet's */

#include "base/buf.h"
#include "net/nft_batch.h"

enum { MARK = 0x4000 }; /* on packets whose source becomes the node's */

static const char *const set_names[PROXY_SET_MAX] = {
    [PROXY_SVC] = "svc",
    [PROXY_EPS] = "eps",
    [PROXY_NP] = "np",
    [PROXY_NPEPS] = "npeps",
    [PROXY_ADDRESSES] = "addresses",
    [PROXY_HAIRPIN] = "hairpin",
    [PROXY_NPREJECT] = "npreject",
};

uint16_t proxy_table_slots(size_t n)
{
    uint32_t slots = PROXY_MAX_EXACT * 2;

    if (n <= PROXY_MAX_EXACT)
        return (uint16_t)n;
    while (slots < n * 8 && slots < PROXY_MAX_SLOTS)
        slots *= 2;
    return (uint16_t)slots;
}

/* --- elements as bytes --- */

static void put_ip(struct nft_bytes *b, uint32_t address)
{
    nft_bytes_put_u32(b, address);
}

void proxy_element_key(const struct proxy_element *e, struct nft_bytes *ret)
{
    *ret = (struct nft_bytes){ .len = 0 };
    switch (e->set) {
    case PROXY_ADDRESSES:
        put_ip(ret, e->address);
        return;
    case PROXY_HAIRPIN:
        put_ip(ret, e->address);
        put_ip(ret, e->address);
        return;
    case PROXY_SVC:
    case PROXY_EPS:
        put_ip(ret, e->address);
        break;
    case PROXY_NP:
    case PROXY_NPEPS:
    case PROXY_NPREJECT:
    case PROXY_SET_MAX:
        break;
    }
    nft_bytes_put_u8(ret, e->protocol);
    nft_bytes_put_port(ret, e->port);
    if (e->set == PROXY_EPS || e->set == PROXY_NPEPS)
        nft_bytes_put_u32(ret, e->slot); /* numgen's number is in the host's order */
}

bool proxy_element_same_value(const struct proxy_element *a, const struct proxy_element *b)
{
    return a->slots == b->slots && a->to_address == b->to_address && a->to_port == b->to_port;
}

static void element_of(const struct proxy_element *e, char chain[16], struct nft_element *ret)
{
    *ret = (struct nft_element){ .timeout_ms = 0 };
    proxy_element_key(e, &ret->key);
    if (e->set == PROXY_SVC || e->set == PROXY_NP) {
        (void)snprintf(chain, 16, "%spick%u", e->set == PROXY_NP ? "n" : "", e->slots);
        ret->jump_to = chain;
    }
    if (e->set == PROXY_EPS || e->set == PROXY_NPEPS) {
        put_ip(&ret->data, e->to_address);
        nft_bytes_put_port(&ret->data, e->to_port);
    }
}

void proxy_table_add(struct nft_batch *b, const char *table, const struct proxy_element *e)
{
    struct nft_set set = { NFPROTO_IPV4, table, set_names[e->set] };
    struct nft_element n;
    char chain[16];

    element_of(e, chain, &n);
    nft_batch_add(b, &set, &n);
}

void proxy_table_remove(struct nft_batch *b, const char *table, const struct proxy_element *e)
{
    struct nft_set set = { NFPROTO_IPV4, table, set_names[e->set] };
    struct nft_element n;
    char chain[16];

    element_of(e, chain, &n);
    nft_batch_remove(b, &set, &n);
}

/* --- the table as text --- */

static void print_pick(struct buf *b, unsigned slots)
{
    buf_printf(b,
               " chain pick%u { meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . "
               "th dport . numgen random mod %u map @eps; }\n"
               " chain npick%u { meta mark set meta mark | 0x%x meta l4proto { tcp, udp } dnat ip "
               "to meta l4proto . th dport . numgen random mod %u map @npeps; }\n",
               slots, slots, slots, MARK, slots);
}

static void print_hooks(struct buf *b, const char *cidr)
{
    buf_printf(b,
               " chain reject_it { meta l4proto tcp reject with tcp reset;"
               " reject with icmp port-unreachable; }\n"
               " chain services { ip daddr . meta l4proto . th dport vmap @svc;"
               " fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @np; }\n"
               " chain prerouting { type nat hook prerouting priority dstnat; jump services; }\n"
               " chain output { type nat hook output priority -100; jump services; }\n"
               " chain postrouting { type nat hook postrouting priority srcnat;\n"
               "  ip saddr . ip daddr @hairpin masquerade fully-random;\n"
               "  meta mark & 0x%x == 0x%x masquerade fully-random;\n",
               MARK, MARK);
    if (cidr)
        buf_printf(b, "  ip saddr %s ip daddr != %s oifname != \"lo\" masquerade fully-random;\n",
                   cidr, cidr);
    buf_append_lit(b,
                   " }\n"
                   " chain forward { type filter hook forward priority 0;"
                   " ip daddr @addresses goto reject_it; }\n"
                   " chain filter_output { type filter hook output priority 0;"
                   " ip daddr @addresses goto reject_it; }\n"
                   " chain input { type filter hook input priority 0;"
                   " meta l4proto . th dport @npreject fib daddr type local goto reject_it; }\n");
}

void proxy_table_print(struct buf *b, const char *table, const char *cidr)
{
    buf_printf(b, "table ip %s\ndelete table ip %s\ntable ip %s {\n", table, table, table);
    buf_append_lit(
        b, " map svc { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
           " map eps { typeof ip daddr . meta l4proto . th dport . numgen random mod 65536 :"
           " ip daddr . th dport; }\n"
           " map np { type inet_proto . inet_service : verdict; }\n"
           " map npeps { typeof meta l4proto . th dport . numgen random mod 65536 :"
           " ip daddr . th dport; }\n"
           " set addresses { type ipv4_addr; }\n"
           " set hairpin { type ipv4_addr . ipv4_addr; }\n"
           " set npreject { type inet_proto . inet_service; }\n");
    for (unsigned n = 1; n <= PROXY_MAX_EXACT; n++)
        print_pick(b, n);
    for (unsigned n = PROXY_MAX_EXACT * 2; n <= PROXY_MAX_SLOTS; n *= 2)
        print_pick(b, n);
    print_hooks(b, cidr);
    buf_append_lit(b, "}\n");
}

static void print_address(struct buf *b, uint32_t address)
{
    unsigned char p[4];

    memcpy(p, &address, 4);
    buf_printf(b, "%u.%u.%u.%u", p[0], p[1], p[2], p[3]);
}

static void print_place(struct buf *b, const struct proxy_element *e)
{
    buf_printf(b, "%s . %u", e->protocol == IPPROTO_TCP ? "tcp" : "udp", e->port);
}

void proxy_element_print(struct buf *b, const char *table, const struct proxy_element *e)
{
    bool has_address = e->set == PROXY_SVC || e->set == PROXY_EPS || e->set == PROXY_ADDRESSES ||
                       e->set == PROXY_HAIRPIN;

    buf_printf(b, "add element ip %s %s { ", table, set_names[e->set]);
    if (has_address)
        print_address(b, e->address);
    if (e->set == PROXY_HAIRPIN) {
        buf_append_lit(b, " . ");
        print_address(b, e->address);
    } else if (e->set != PROXY_ADDRESSES) {
        if (has_address)
            buf_append_lit(b, " . ");
        print_place(b, e);
    }
    if (e->set == PROXY_SVC || e->set == PROXY_NP)
        buf_printf(b, " : goto %spick%u", e->set == PROXY_NP ? "n" : "", e->slots);
    if (e->set == PROXY_EPS || e->set == PROXY_NPEPS) {
        buf_printf(b, " . %u : ", e->slot);
        print_address(b, e->to_address);
        buf_printf(b, " . %u", e->to_port);
    }
    buf_append_lit(b, " }\n");
}
