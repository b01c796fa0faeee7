#include "apiserver/registry/ip_range.h"

#include <arpa/inet.h>

#include "base/arena.h"
#include "base/macros.h"

static bool parse_address(struct str text, unsigned char ret[16], unsigned *ret_bits)
{
    char word[INET6_ADDRSTRLEN];
    bool six = str_find(text, ':') >= 0;

    if (!text.len || text.len >= sizeof(word))
        return false;
    memcpy(word, text.p, text.len);
    word[text.len] = '\0';
    memset(ret, 0, 16);
    if (inet_pton(six ? AF_INET6 : AF_INET, word, ret) != 1)
        return false;
    *ret_bits = six ? 128 : 32;
    return true;
}

bool ip_range_parse(struct str cidr, struct ip_range *ret)
{
    struct ip_range r = { 0 };
    struct str address, length;
    uint64_t prefix;

    if (!str_cut(cidr, '/', &address, &length) || !str_to_u64(length, &prefix) ||
        !parse_address(address, r.base, &r.bits) || prefix > r.bits - 2)
        return false;
    r.prefix = (unsigned)prefix;
    for (unsigned bit = r.prefix; bit < r.bits; bit++)
        r.base[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
    *ret = r;
    return true;
}

struct str ip_range_family(const struct ip_range *r)
{
    return r->bits == 32 ? STR("IPv4") : STR("IPv6");
}

uint64_t ip_range_size(const struct ip_range *r)
{
    unsigned host = r->bits - r->prefix;

    return (uint64_t)1 << MIN(host, (unsigned)IP_RANGE_MAX_HOST_BITS);
}

static struct str print_address(struct arena *a, const unsigned char *bytes, unsigned bits)
{
    char text[INET6_ADDRSTRLEN];

    if (!inet_ntop(bits == 32 ? AF_INET : AF_INET6, bytes, text, sizeof(text)))
        return STR_NULL;
    return str_dup(a, str_from_cstr(text));
}

struct str ip_range_nth(struct arena *a, const struct ip_range *r, uint64_t n)
{
    unsigned char bytes[16];

    memcpy(bytes, r->base, sizeof(bytes));
    for (unsigned i = r->bits / 8; n && i-- > 0; n >>= 8)
        bytes[i] |= (unsigned char)n; /* host bits of the base are zero */
    return print_address(a, bytes, r->bits);
}

bool ip_range_contains(const struct ip_range *r, struct str address)
{
    unsigned char bytes[16];
    bool zeros = true, ones = true;
    unsigned bits;

    if (!parse_address(address, bytes, &bits) || bits != r->bits)
        return false;
    for (unsigned bit = 0; bit < bits; bit++) {
        unsigned char mask = (unsigned char)(0x80 >> bit % 8);
        bool set = bytes[bit / 8] & mask;

        if (bit < r->prefix && set != !!(r->base[bit / 8] & mask))
            return false;
        if (bit >= r->prefix) {
            zeros &= !set;
            ones &= set;
        }
    }
    return !zeros && !(ones && bits == 32);
}

struct str ip_range_print(struct arena *a, const struct ip_range *r)
{
    return arena_printf(a, "%.*s/%u", STR_ARG(print_address(a, r->base, r->bits)), r->prefix);
}

struct str ip_range_family_of(struct str address)
{
    unsigned char bytes[16];
    unsigned bits;

    if (!parse_address(address, bytes, &bits))
        return STR_NULL;
    return bits == 32 ? STR("IPv4") : STR("IPv6");
}

struct str ip_range_canonical(struct arena *a, struct str address)
{
    unsigned char bytes[16];
    unsigned bits;

    return parse_address(address, bytes, &bits) ? print_address(a, bytes, bits) : STR_NULL;
}
