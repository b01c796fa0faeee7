#include "apiserver/negotiation.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

enum { MAX_CLAUSES = 32, MAX_PARAMS = 16 };

static const struct str media_texts[MEDIA_MAX] = {
#define X(name, text) [MEDIA_##name] = STR_INIT(text),
    MEDIA_TYPES(X)
#undef X
};

struct str media_text(enum media m)
{
    return media_texts[m];
}

struct str media_list(struct arena *a, unsigned media, bool streams)
{
    struct buf b;

    buf_init_arena(&b, a, 128);
    for (unsigned m = 0; m < MEDIA_MAX; m++) {
        if (!(media & (1U << m)))
            continue;
        if (b.len)
            buf_append_lit(&b, ", ");
        buf_append_str(&b, media_texts[m]);
        if (streams)
            buf_append_lit(&b, ";stream=watch");
    }
    return buf_str(&b);
}

/* What as=, g=, v= may ask for. */
static const struct {
    enum media_as as;
    struct str kind;
    struct str group;
    struct str versions; /* comma-separated */
} conversions[] = {
    { MEDIA_AS_TABLE, STR_INIT("Table"), STR_INIT("meta.k8s.io"), STR_INIT("v1,v1beta1") },
    { MEDIA_AS_PARTIAL_METADATA, STR_INIT("PartialObjectMetadata"), STR_INIT("meta.k8s.io"),
      STR_INIT("v1,v1beta1") },
    { MEDIA_AS_PARTIAL_METADATA_LIST, STR_INIT("PartialObjectMetadataList"),
      STR_INIT("meta.k8s.io"), STR_INIT("v1,v1beta1") },
    { MEDIA_AS_GROUP_DISCOVERY, STR_INIT("APIGroupDiscoveryList"), STR_INIT("apidiscovery.k8s.io"),
      STR_INIT("v2") },
};

/* One clause of an Accept header. */
struct clause {
    struct str type;    /* "application" or "*" */
    struct str subtype; /* "json" or "*" */
    struct str params;  /* what follows the first ';' */
    int q;              /* in thousandths */
};

/* "0.85" in thousandths; what is no number counts as 1, as upstream's parser has it. */
static int parse_q(struct str s)
{
    int q = 0, scale = 1000;
    bool fraction = false;

    if (s.len == 0 || s.len > 8)
        return 1000;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '.' && !fraction) {
            fraction = true;
        } else if (s.p[i] < '0' || s.p[i] > '9') {
            return 1000;
        } else if (fraction) {
            scale /= 10;
            q += (s.p[i] - '0') * scale;
        } else {
            q = q * 10 + (s.p[i] - '0') * 1000;
            q = MIN(q, 1000);
        }
    }
    return MIN(q, 1000);
}

/* Walks "; name=value" pairs, quotes taken off. */
static bool next_param(struct str *params, struct str *ret_name, struct str *ret_value)
{
    struct str one;

    while (str_next(params, ';', &one)) {
        (void)str_cut(one, '=', ret_name, ret_value); /* a name alone has an unset value */
        *ret_name = str_trim(*ret_name);
        *ret_value = str_trim(*ret_value);
        if (ret_value->len >= 2 && ret_value->p[0] == '"' && str_has_suffix(*ret_value, STR("\"")))
            *ret_value = str_sub(*ret_value, 1, ret_value->len - 1);
        if (ret_name->len)
            return true;
    }
    return false;
}

static struct clause parse_clause(struct str text)
{
    struct clause c = { .q = 1000 };
    struct str media, params, name, value;

    (void)str_cut(text, ';', &media, &c.params);
    (void)str_cut(str_trim(media), '/', &c.type, &c.subtype);
    if (str_eq(c.type, STR("*")) && !c.subtype.len)
        c.subtype = STR("*");
    params = c.params;
    while (next_param(&params, &name, &value)) {
        if (str_eq(name, STR("q")))
            c.q = parse_q(value);
    }
    return c;
}

static int specificity(const struct clause *c)
{
    return (!str_eq(c->type, STR("*")) ? 1 : 0) + (!str_eq(c->subtype, STR("*")) ? 1 : 0);
}

static bool goes_before(const struct clause *a, const struct clause *b)
{
    if (a->q != b->q)
        return a->q > b->q;
    return specificity(a) > specificity(b);
}

/* Clauses in order of preference, order of appearance among equals; the rest beyond the bound is
 * not looked at. */
static size_t parse_accept(struct str accept, struct clause clauses[MAX_CLAUSES])
{
    struct str part;
    size_t n = 0;

    while (n < MAX_CLAUSES && str_next(&accept, ',', &part)) {
        struct clause c = parse_clause(part);
        size_t at = n;

        if (!c.type.len)
            continue;
        for (; at > 0 && goes_before(&c, &clauses[at - 1]); at--)
            clauses[at] = clauses[at - 1];
        clauses[at] = c;
        n++;
    }
    return n;
}

static bool matches(const struct clause *c, enum media m)
{
    struct str type, subtype;

    (void)str_cut(media_texts[m], '/', &type, &subtype);
    return (str_eq(c->type, STR("*")) || str_eq_nocase(c->type, type)) &&
           (str_eq(c->subtype, STR("*")) || str_eq_nocase(c->subtype, subtype));
}

static bool has_version(struct str versions, struct str version)
{
    struct str one;

    while (str_next(&versions, ',', &one)) {
        if (str_eq(one, version))
            return true;
    }
    return false;
}

/* Sets as and as_version; false when the offer cannot meet what the parameters ask for. */
static bool convert(const struct negotiation_offer *offer, struct str as, struct str group,
                    struct str version, struct negotiation *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(conversions); i++) {
        if (!str_eq(conversions[i].kind, as) || !str_eq(conversions[i].group, group) ||
            !has_version(conversions[i].versions, version))
            continue;
        ret->as = conversions[i].as;
        ret->as_version = version;
        return (offer->as & MEDIA_AS_BIT(ret->as)) != 0;
    }
    return false;
}

static bool apply_params(const struct clause *c, const struct negotiation_offer *offer,
                         struct negotiation *ret)
{
    struct str params = c->params, name, value, as = STR_NULL, group = STR_NULL, version = STR_NULL;

    while (next_param(&params, &name, &value)) {
        if (str_eq(name, STR("as")))
            as = value;
        else if (str_eq(name, STR("g")))
            group = value;
        else if (str_eq(name, STR("v")))
            version = value;
        else if (str_eq(name, STR("stream")) && !(offer->stream && str_eq(value, STR("watch"))))
            return false;
        else if (str_eq(name, STR("charset")) && !str_eq_nocase(value, STR("utf-8")))
            return false;
        else if (str_eq(name, STR("pretty")))
            ret->pretty = str_eq(value, STR("1"));
    }
    return !as.len || convert(offer, as, group, version, ret);
}

bool negotiation_names(struct str header, unsigned media)
{
    struct str clause, params, one;

    if (!header.len)
        return true;
    while (str_next(&header, ',', &clause)) {
        (void)str_cut(clause, ';', &one, &params);
        one = str_trim(one);
        if (str_eq(one, STR("*/*")))
            return true;
        for (unsigned m = 0; m < MEDIA_MAX; m++)
            if ((media & (1U << m)) && str_eq(one, media_texts[m]))
                return true;
    }
    return false;
}

bool negotiation_asks_for(struct str accept, const struct negotiation_offer *offer,
                          enum media_as as, struct negotiation *ret)
{
    struct clause clauses[MAX_CLAUSES];
    size_t n = parse_accept(accept, clauses);

    for (size_t i = 0; i < n; i++) {
        struct negotiation got = { .media = offer->fallback };

        if (!apply_params(&clauses[i], offer, &got) || got.as != as)
            continue;
        for (unsigned m = 0; m < MEDIA_MAX; m++) {
            if (!(offer->media & (1U << m)) || !matches(&clauses[i], (enum media)m))
                continue;
            got.media = (enum media)m;
            *ret = got;
            return true;
        }
    }
    return false;
}

int negotiation_output(struct str accept, const struct negotiation_offer *offer,
                       struct negotiation *ret)
{
    struct clause clauses[MAX_CLAUSES];
    size_t n;

    if (!str_trim(accept).len) {
        *ret = (struct negotiation){ .media = offer->fallback };
        return 0;
    }
    n = parse_accept(accept, clauses);
    for (size_t i = 0; i < n; i++) {
        struct negotiation got = { .media = offer->fallback };

        if (!apply_params(&clauses[i], offer, &got))
            continue;
        if (matches(&clauses[i], offer->fallback)) {
            *ret = got;
            return 0;
        }
        for (unsigned m = 0; m < MEDIA_MAX; m++) {
            if (got.as == MEDIA_AS_TABLE && m == MEDIA_PROTOBUF)
                continue; /* a Table has no protobuf form */
            if ((offer->media & (1U << m)) && matches(&clauses[i], (enum media)m)) {
                got.media = (enum media)m;
                *ret = got;
                return 0;
            }
        }
    }
    return ERR_UNSUPPORTED;
}

int negotiation_input(struct str content_type, unsigned accepted, enum media *ret)
{
    struct str media, params;

    (void)str_cut(content_type, ';', &media, &params);
    media = str_trim(media);
    if (!media.len && (accepted & MEDIA_BIT(JSON))) {
        *ret = MEDIA_JSON;
        return 0;
    }
    for (unsigned m = 0; m < MEDIA_MAX; m++) {
        if ((accepted & (1U << m)) && str_eq_nocase(media, media_texts[m])) {
            *ret = (enum media)m;
            return 0;
        }
    }
    return ERR_UNSUPPORTED;
}

bool negotiation_accepts_gzip(struct str accept_encoding)
{
    struct str one;

    while (str_next(&accept_encoding, ',', &one)) {
        struct clause c = parse_clause(one);

        if (c.q > 0 && str_eq_nocase(c.type, STR("gzip")))
            return true;
    }
    return false;
}
