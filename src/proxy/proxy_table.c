#include "proxy/proxy_table.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>

#include <linux/netfilter.h> /* wants to come after netinet's */

#include "base/buf.h"
#include "base/macros.h"
#include "net/nft_batch.h"

enum { MARK = 0x4000 }; /* on packets whose source becomes the node's */

enum key { ADDRESS, TWICE, PLACE, SLOT, PLACE_ID, RANGE, PORT, PORT_SLOT, PORT_ID };
enum value { NONE, VERDICT, ENDPOINT, ID };

static const struct row {
    const char *name;
    enum key key;
    enum value value;
} rows[PROXY_SET_MAX] = {
#define X(name, text, key, value) [PROXY_##name] = { text, key, value },
    PROXY_SETS(X)
#undef X
};

/* Key and value in nft's words; a percent sign is ip or ip6. */
static const char *const key_types[] = {
    [ADDRESS] = "% daddr",
    [TWICE] = "% saddr . % daddr",
    [PLACE] = "% daddr . meta l4proto . th dport",
    [SLOT] = "% daddr . meta l4proto . th dport . numgen random mod 65536",
    [PLACE_ID] = "% daddr . meta l4proto . th dport . ct mark",
    [RANGE] = "% daddr . meta l4proto . th dport . % saddr",
    [PORT] = "meta l4proto . th dport",
    [PORT_SLOT] = "meta l4proto . th dport . numgen random mod 65536",
    [PORT_ID] = "meta l4proto . th dport . ct mark",
};
static const char *const value_types[] = {
    [NONE] = "",
    [VERDICT] = " : verdict",
    [ENDPOINT] = " : % daddr . th dport",
    [ID] = " : ct mark",
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

static void put_ip(struct nft_bytes *b, const struct ip *ip)
{
    nft_bytes_put(b, ip->bytes, ip_bytes(ip));
}

static bool has_address(enum key k)
{
    return k <= RANGE;
}

static bool has_slot(enum key k)
{
    return k == SLOT || k == PLACE_ID || k == PORT_SLOT || k == PORT_ID;
}

static void key_of(const struct proxy_element *e, struct nft_bytes *ret)
{
    enum key k = rows[e->set].key;

    *ret = (struct nft_bytes){ .len = 0 };
    if (has_address(k))
        put_ip(ret, &e->address);
    if (k == TWICE)
        put_ip(ret, &e->address);
    if (k == ADDRESS || k == TWICE)
        return;
    nft_bytes_put_u8(ret, e->protocol);
    nft_bytes_put_port(ret, e->port);
    if (has_slot(k))
        nft_bytes_put_u32(ret, e->slot); /* these numbers are in the host's order */
    if (k == RANGE)
        put_ip(ret, &e->to);
}

/* The last key of a range: the prefix's last address. */
static void key_end_of(const struct proxy_element *e, struct nft_bytes *ret)
{
    struct proxy_element last = *e;

    for (unsigned bit = e->len; bit < ip_bits(&e->to); bit++)
        last.to.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    key_of(&last, ret);
}

struct str proxy_element_key(const struct proxy_element *e, char ret[PROXY_KEY_BYTES])
{
    struct nft_bytes key;

    key_of(e, &key);
    ret[0] = (char)e->set;
    ret[1] = (char)e->family;
    ret[2] = (char)e->len;
    memcpy(ret + 3, key.bytes, key.len);
    return str_n(ret, (size_t)key.len + 3);
}

bool proxy_element_same_value(const struct proxy_element *a, const struct proxy_element *b)
{
    return a->verdict == b->verdict && a->is_affine == b->is_affine && a->slots == b->slots &&
           a->timeout_s == b->timeout_s && a->id == b->id && a->to_port == b->to_port &&
           ip_cmp(&a->to, &b->to) == 0;
}

enum { CHAIN_BYTES = 24 };

static void chain_of(const struct proxy_element *e, char ret[CHAIN_BYTES])
{
    bool is_np = rows[e->set].key == PORT, is_near = e->set == PROXY_NEAR || e->set == PROXY_NPNEAR;

    switch (e->verdict) {
    case PROXY_PICK:
        (void)snprintf(ret, CHAIN_BYTES, "%s%spick%u", is_np ? "n" : "",
                       is_near        ? "near_"
                       : e->is_affine ? "a"
                                      : "",
                       e->slots);
        break;
    case PROXY_STICK:
        (void)snprintf(ret, CHAIN_BYTES, "%sstick%u", is_np ? "n" : "", e->timeout_s);
        break;
    case PROXY_REJECT:
        (void)snprintf(ret, CHAIN_BYTES, "reject_it");
        break;
    case PROXY_DROP:
        (void)snprintf(ret, CHAIN_BYTES, "drop_it");
        break;
    }
}

static void element_of(const struct proxy_element *e, char chain[CHAIN_BYTES],
                       struct nft_element *ret)
{
    *ret = (struct nft_element){ .timeout_ms = 0 };
    key_of(e, &ret->key);
    if (rows[e->set].key == RANGE)
        key_end_of(e, &ret->key_end);
    switch (rows[e->set].value) {
    case NONE:
        break;
    case VERDICT:
        chain_of(e, chain);
        ret->jump_to = chain;
        ret->returns = e->verdict == PROXY_STICK;
        break;
    case ENDPOINT:
        put_ip(&ret->data, &e->to);
        nft_bytes_put_port(&ret->data, e->to_port);
        break;
    case ID:
        nft_bytes_put_u32(&ret->data, e->id);
        break;
    }
}

static void change(struct nft_batch *b, const char *table, const struct proxy_element *e,
                   void (*fn)(struct nft_batch *b, const struct nft_set *set,
                              const struct nft_element *e))
{
    struct nft_set set = { e->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6, table,
                           rows[e->set].name };
    struct nft_element n;
    char chain[CHAIN_BYTES];

    element_of(e, chain, &n);
    fn(b, &set, &n);
}

void proxy_table_add(struct nft_batch *b, const char *table, const struct proxy_element *e)
{
    change(b, table, e, nft_batch_add);
}

void proxy_table_remove(struct nft_batch *b, const char *table, const struct proxy_element *e)
{
    change(b, table, e, nft_batch_remove);
}

/* --- the table as text --- */

/* Appends a template: % is ip or ip6, ~ its loopback addresses, # is n. */
static void print_template(struct buf *b, const char *text, bool is_v6, unsigned n)
{
    for (const char *c = text; *c; c++) {
        if (*c == '%')
            buf_printf(b, "%s", is_v6 ? "ip6" : "ip");
        else if (*c == '~')
            buf_printf(b, "%s", is_v6 ? "::1" : "127.0.0.0/8");
        else if (*c == '#')
            buf_printf(b, "%u", n);
        else
            buf_append_char(b, *c);
    }
}

static const char pick_text[] =
    " chain pick# { meta l4proto { tcp, udp } dnat % to"
    " % daddr . meta l4proto . th dport . numgen random mod # map @eps; }\n"
    " chain npick# { meta l4proto { tcp, udp } dnat % to"
    " meta l4proto . th dport . numgen random mod # map @npeps; }\n";

static const char near_text[] =
    " chain near_pick# { meta l4proto { tcp, udp } dnat % to"
    " % daddr . meta l4proto . th dport . numgen random mod # offset 32768 map @eps; }\n"
    " chain nnear_pick# { meta l4proto { tcp, udp } dnat % to"
    " meta l4proto . th dport . numgen random mod # offset 32768 map @npeps; }\n";

/* The second rule of a chain is for clients without an entry, or one of an endpoint that is gone.
 */
static const char affine_text[] =
    " chain apick# {\n"
    "  ct mark set % saddr . % daddr . meta l4proto . th dport map @aff"
    " % daddr . meta l4proto . th dport vmap @affine\n"
    "  ct mark set % daddr . meta l4proto . th dport . numgen random mod # map @ids"
    " % daddr . meta l4proto . th dport vmap @affine\n }\n"
    " chain napick# {\n"
    "  ct mark set % saddr . % daddr . meta l4proto . th dport map @aff"
    " meta l4proto . th dport vmap @npaffine\n"
    "  ct mark set meta l4proto . th dport . numgen random mod # map @npids"
    " meta l4proto . th dport vmap @npaffine\n }\n";
static const char affine6_text[] =
    " chain apick# { meta l4proto { tcp, udp } dnat % to"
    " % daddr . meta l4proto . th dport . jhash % saddr mod # seed 0x50696e74 map @eps; }\n"
    " chain napick# { meta l4proto { tcp, udp } dnat % to"
    " meta l4proto . th dport . jhash % saddr mod # seed 0x50696e74 map @npeps; }\n";

static const char stick_text[] =
    " chain stick# {\n"
    "  update @aff { % saddr . % daddr . meta l4proto . th dport timeout #s : ct mark }\n"
    "  meta l4proto { tcp, udp } dnat % to % daddr . meta l4proto . th dport . ct mark map @epid\n"
    " }\n"
    " chain nstick# {\n"
    "  update @aff { % saddr . % daddr . meta l4proto . th dport timeout #s : ct mark }\n"
    "  meta l4proto { tcp, udp } dnat % to meta l4proto . th dport . ct mark map @npepid\n }\n";

static const char hooks_text[] =
    " chain drop_it { drop; }\n"
    " chain refusals {\n"
    "  % daddr . meta l4proto . th dport vmap @refuse\n"
    "  % daddr @addresses goto reject_it\n }\n"
    " chain guards { % daddr . meta l4proto . th dport @guard"
    " % daddr . meta l4proto . th dport . % saddr != @ranges drop; }\n"
    " chain guard_prerouting { type filter hook prerouting priority -110; jump guards; }\n"
    " chain guard_output { type filter hook output priority -110; jump guards; }\n"
    /* Ports of Pods at a loopback address are for this machine alone. */
    " chain prerouting { type nat hook prerouting priority dstnat; % daddr ~ return;"
    " jump services; }\n"
    " chain output { type nat hook output priority -100; jump services; }\n"
    " chain forward { type filter hook forward priority 0; jump refusals; }\n"
    " chain filter_output { type filter hook output priority 0; jump refusals; }\n"
    " chain input { type filter hook input priority 0; jump refusals;\n"
    "  fib daddr type local meta l4proto . th dport vmap @nprefuse; }\n";

/* Pods, and who is on the node itself: `then` for these. */
static void print_for_near(struct buf *b, const struct proxy_layout *l, bool is_v6,
                           const char *then)
{
    char text[IP_PREFIX_TEXT_BYTES];

    for (size_t i = 0; i < l->n_cidrs; i++) {
        if ((l->cidrs[i].ip.family == AF_INET6) != is_v6)
            continue;
        buf_printf(b, "  %s saddr %s ", is_v6 ? "ip6" : "ip", ip_prefix_print(&l->cidrs[i], text));
        print_template(b, then, is_v6, 0);
    }
    buf_append_lit(b, "  fib saddr type local ");
    print_template(b, then, is_v6, 0);
}

static void print_hooks(struct buf *b, const struct proxy_layout *l, bool is_v6)
{
    buf_printf(b,
               " chain reject_it { meta l4proto tcp reject with tcp reset;"
               " reject with %s port-unreachable; }\n"
               " chain services {\n",
               is_v6 ? "icmpv6" : "icmp");
    print_for_near(b, l, is_v6, "% daddr . meta l4proto . th dport vmap @near\n");
    buf_printf(b,
               "  %s daddr . meta l4proto . th dport @masq meta mark set meta mark | 0x%x\n"
               "  %s daddr . meta l4proto . th dport vmap @svc\n"
               "  fib daddr type != local return\n  %s return\n",
               is_v6 ? "ip6" : "ip", MARK, is_v6 ? "ip6" : "ip",
               is_v6 ? "ip6 daddr ::1" : "ip daddr 127.0.0.0/8");
    print_for_near(b, l, is_v6, "meta l4proto . th dport vmap @npnear\n");
    buf_printf(b,
               "  meta l4proto . th dport @npmasq meta mark set meta mark | 0x%x\n"
               "  meta l4proto . th dport vmap @np\n }\n",
               MARK);
    print_template(b, hooks_text, is_v6, 0);
    print_template(b,
                   " chain postrouting { type nat hook postrouting priority srcnat;\n"
                   "  % saddr . % daddr @hairpin masquerade fully-random\n",
                   is_v6, 0);
    buf_printf(b, "  meta mark & 0x%x == 0x%x masquerade fully-random\n", MARK, MARK);
    for (size_t i = 0; i < l->n_cidrs; i++) {
        char text[IP_PREFIX_TEXT_BYTES];

        if ((l->cidrs[i].ip.family == AF_INET6) != is_v6)
            continue;
        (void)ip_prefix_print(&l->cidrs[i], text);
        buf_printf(b, "  %s saddr %s %s daddr != %s oifname != \"lo\" masquerade fully-random\n",
                   is_v6 ? "ip6" : "ip", text, is_v6 ? "ip6" : "ip", text);
    }
    buf_append_lit(b, " }\n");
}

static void print_sets(struct buf *b, bool is_v6)
{
    for (unsigned i = 0; i < PROXY_SET_MAX; i++) {
        buf_printf(b, " %s %s { typeof ", rows[i].value == NONE ? "set" : "map", rows[i].name);
        print_template(b, key_types[rows[i].key], is_v6, 0);
        print_template(b, value_types[rows[i].value], is_v6, 0);
        buf_printf(b, ";%s }\n", rows[i].key == RANGE ? " flags interval;" : "");
    }
    if (!is_v6)
        buf_append_lit(b, " map aff { typeof ip saddr . ip daddr . meta l4proto . th dport : ct "
                          "mark; flags dynamic,timeout; size 262144; timeout 3h; }\n");
}

static void print_family(struct buf *b, const struct proxy_layout *l, bool is_v6)
{
    const char *family = is_v6 ? "ip6" : "ip";

    buf_printf(b, "table %s %s\ndelete table %s %s\ntable %s %s {\n", family, l->table, family,
               l->table, family, l->table);
    print_sets(b, is_v6);
    for (size_t i = 0; !is_v6 && i < l->n_timeouts; i++)
        print_template(b, stick_text, is_v6, l->timeouts_s[i]);
    for (unsigned n = 1; n <= PROXY_MAX_SLOTS; n = n < PROXY_MAX_EXACT ? n + 1 : n * 2) {
        print_template(b, pick_text, is_v6, n);
        print_template(b, near_text, is_v6, n);
        print_template(b, is_v6 ? affine6_text : affine_text, is_v6, n);
    }
    print_hooks(b, l, is_v6);
    buf_append_lit(b, "}\n");
}

void proxy_table_print(struct buf *b, const struct proxy_layout *l)
{
    print_family(b, l, false);
    print_family(b, l, true);
}

static void print_ip(struct buf *b, const struct ip *ip)
{
    char text[IP_TEXT_BYTES];

    buf_printf(b, "%s", ip_print(ip, text));
}

static void print_key(struct buf *b, const struct proxy_element *e)
{
    enum key k = rows[e->set].key;

    if (has_address(k))
        print_ip(b, &e->address);
    if (k == TWICE) {
        buf_append_lit(b, " . ");
        print_ip(b, &e->address);
    }
    if (k == ADDRESS || k == TWICE)
        return;
    buf_printf(b, "%s%s . %u", has_address(k) ? " . " : "",
               e->protocol == IPPROTO_TCP ? "tcp" : "udp", e->port);
    if (has_slot(k))
        buf_printf(b, " . %u", e->slot);
    if (k == RANGE) {
        buf_append_lit(b, " . ");
        print_ip(b, &e->to);
        buf_printf(b, "/%u", e->len);
    }
}

void proxy_element_print(struct buf *b, const char *table, const struct proxy_element *e)
{
    char chain[CHAIN_BYTES];

    buf_printf(b, "add element %s %s %s { ", e->family == AF_INET ? "ip" : "ip6", table,
               rows[e->set].name);
    print_key(b, e);
    switch (rows[e->set].value) {
    case NONE:
        break;
    case VERDICT:
        chain_of(e, chain);
        buf_printf(b, " : %s %s", e->verdict == PROXY_STICK ? "jump" : "goto", chain);
        break;
    case ENDPOINT:
        buf_append_lit(b, " : ");
        print_ip(b, &e->to);
        buf_printf(b, " . %u", e->to_port);
        break;
    case ID:
        buf_printf(b, " : %u", e->id);
        break;
    }
    buf_append_lit(b, " }\n");
}
