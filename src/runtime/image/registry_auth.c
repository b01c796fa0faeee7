#include "runtime/image/registry_auth.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

enum { TOKEN_MAX_BYTES = 64 << 10, ERROR_MAX_BYTES = 300, HEADER_MAX_BYTES = 8 << 10 };

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static struct str take_token(struct str *rest)
{
    size_t n = 0;
    struct str token;

    while (n < rest->len && is_token_char(rest->p[n]))
        n++;
    token = str_sub(*rest, 0, n);
    *rest = str_tail(*rest, n);
    return token;
}

static void skip(struct str *rest, const char *chars)
{
    while (rest->len && rest->p[0] != '\0' && strchr(chars, rest->p[0]))
        *rest = str_tail(*rest, 1);
}

/* A token, or a quoted string without its quotes and escapes. */
static struct str take_value(struct arena *a, struct str *rest)
{
    struct buf b;

    if (!rest->len || rest->p[0] != '"')
        return take_token(rest);
    buf_init_arena(&b, a, rest->len);
    *rest = str_tail(*rest, 1);
    while (rest->len && rest->p[0] != '"') {
        if (rest->p[0] == '\\' && rest->len > 1)
            *rest = str_tail(*rest, 1);
        buf_append_char(&b, rest->p[0]);
        *rest = str_tail(*rest, 1);
    }
    *rest = str_tail(*rest, 1);
    return buf_str(&b);
}

/* name=value pairs up to the next scheme, which is a word without '='. */
static void take_parameters(struct arena *a, struct str *rest, struct registry_challenge *c)
{
    while (rest->len) {
        struct str before, name, value;

        skip(rest, " \t,");
        before = *rest;
        name = take_token(rest);
        skip(rest, " \t");
        if (!name.len || !rest->len || rest->p[0] != '=') {
            *rest = name.len ? before : STR_NULL;
            return;
        }
        *rest = str_tail(*rest, 1);
        skip(rest, " \t");
        value = take_value(a, rest);
        if (str_eq_nocase(name, STR("realm")))
            c->realm = value;
        else if (str_eq_nocase(name, STR("service")))
            c->service = value;
        else if (str_eq_nocase(name, STR("scope")))
            c->scope = value;
    }
}

struct registry_challenge registry_auth_challenge(struct arena *a, struct str header)
{
    struct str rest = str_sub(header, 0, HEADER_MAX_BYTES);

    while (rest.len) {
        struct registry_challenge c = { 0 };
        struct str scheme;

        skip(&rest, " \t,");
        scheme = take_token(&rest);
        if (!scheme.len)
            break;
        take_parameters(a, &rest, &c);
        if (str_eq_nocase(scheme, STR("bearer")) && c.realm.len)
            c.scheme = REGISTRY_AUTH_BEARER;
        else if (str_eq_nocase(scheme, STR("basic")))
            c.scheme = REGISTRY_AUTH_BASIC;
        if (c.scheme != REGISTRY_AUTH_NONE)
            return c;
    }
    return (struct registry_challenge){ 0 };
}

struct str registry_auth_token(struct arena *a, struct str json)
{
    struct value v;
    struct str token;
    struct err ignored;

    if (value_parse(a, json, &v, NULL, &ignored) != 0)
        return STR_NULL;
    token = value_get_str(&v, STR("token"));
    if (!token.len)
        token = value_get_str(&v, STR("access_token"));
    if (token.len > TOKEN_MAX_BYTES)
        return STR_NULL;
    for (size_t i = 0; i < token.len; i++)
        if (token.p[i] <= ' ' || token.p[i] > '~')
            return STR_NULL;
    return token;
}

static struct str printable(struct arena *a, struct str s)
{
    struct buf b;

    buf_init_arena(&b, a, ERROR_MAX_BYTES);
    for (size_t i = 0; i < s.len && i < ERROR_MAX_BYTES; i++)
        buf_append_char(&b, s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
    return buf_str(&b);
}

struct str registry_auth_error(struct arena *a, struct str json)
{
    const struct value *errors, *first;
    struct str code, message;
    struct value v;
    struct err ignored;

    if (value_parse(a, json, &v, NULL, &ignored) != 0)
        return STR_NULL;
    errors = value_get(&v, STR("errors"));
    first = errors && errors->type == VALUE_ARRAY && errors->len ? &errors->items[0] : NULL;
    code = first ? value_get_str(first, STR("code")) : STR_NULL;
    message = first ? value_get_str(first, STR("message")) : value_get_str(&v, STR("details"));
    if (!code.len && !message.len)
        return STR_NULL;
    return printable(a, code.len && message.len
                            ? arena_printf(a, "%.*s: %.*s", STR_ARG(code), STR_ARG(message))
                            : (code.len ? code : message));
}

void registry_auth_escape(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._~", c)))
            buf_append_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned)(unsigned char)c);
    }
}
