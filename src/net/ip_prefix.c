#include "net/ip_prefix.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

_Static_assert(AF_INET == 2, "ip_bits() knows the number");

bool ip_parse(struct str text, struct ip *ret)
{
    struct ip ip = { .family = str_find(text, ':') >= 0 ? AF_INET6 : AF_INET };
    char s[IP_TEXT_BYTES];

    if (text.len == 0 || text.len >= sizeof(s) || memchr(text.p, 0, text.len))
        return false;
    memcpy(s, text.p, text.len);
    s[text.len] = '\0';
    if (inet_pton(ip.family, s, ip.bytes) != 1)
        return false;
    *ret = ip;
    return true;
}

bool ip_prefix_parse(struct str text, struct ip_prefix *ret)
{
    struct str address, len;
    struct ip_prefix p;
    uint64_t n;

    if (!str_cut(text, '/', &address, &len) || !ip_parse(address, &p.ip) || !str_to_u64(len, &n) ||
        n > ip_bits(&p.ip))
        return false;
    p.len = (uint8_t)n;
    *ret = p;
    return true;
}

const char *ip_print(const struct ip *ip, char ret[IP_TEXT_BYTES])
{
    if (!ip->family || !inet_ntop(ip->family, ip->bytes, ret, IP_TEXT_BYTES))
        ret[0] = '\0';
    return ret;
}

const char *ip_prefix_print(const struct ip_prefix *p, char ret[IP_PREFIX_TEXT_BYTES])
{
    char address[IP_TEXT_BYTES];

    (void)snprintf(ret, IP_PREFIX_TEXT_BYTES, "%s/%u", ip_print(&p->ip, address), p->len);
    return ret;
}

int ip_cmp(const struct ip *a, const struct ip *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static uint8_t mask_of(uint8_t len, unsigned at) /* byte `at` of a prefix's mask */
{
    if (len >= (at + 1) * 8)
        return 0xff;
    if (len <= at * 8)
        return 0;
    return (uint8_t)(0xffU << ((at + 1) * 8 - len));
}

struct ip ip_prefix_base(const struct ip_prefix *p)
{
    struct ip base = p->ip;

    for (unsigned i = 0; i < sizeof(base.bytes); i++)
        base.bytes[i] &= mask_of(p->len, i);
    return base;
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip *ip)
{
    struct ip_prefix other = { .ip = *ip, .len = p->len };
    struct ip a = ip_prefix_base(p), b;

    if (ip->family != p->ip.family)
        return false;
    b = ip_prefix_base(&other);
    return ip_cmp(&a, &b) == 0;
}

uint64_t ip_prefix_size(const struct ip_prefix *p)
{
    unsigned host = (unsigned)ip_bits(&p->ip) - p->len;

    return host >= 64 ? UINT64_MAX : (uint64_t)1 << host;
}

bool ip_prefix_nth(const struct ip_prefix *p, uint64_t n, struct ip *ret)
{
    struct ip ip = ip_prefix_base(p);
    unsigned carry = 0;

    if (n >= ip_prefix_size(p))
        return false;
    for (unsigned i = ip_bytes(&ip); i-- > 0;) {
        unsigned sum = ip.bytes[i] + (unsigned)(n & 0xff) + carry;

        ip.bytes[i] = (uint8_t)sum;
        carry = sum >> 8;
        n >>= 8;
    }
    *ret = ip;
    return true;
}

uint64_t ip_prefix_index(const struct ip_prefix *p, const struct ip *ip)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < ip_bytes(ip); i++) {
        uint8_t host = (uint8_t)(ip->bytes[i] & ~mask_of(p->len, i));

        if (n >> 56)
            return UINT64_MAX;
        n = n << 8 | host;
    }
    return n;
}
