#include "apiserver/proxying/html_links.h"

#include <stdbool.h>

#include "base/macros.h"

/* Attributes that hold URLs, by element. */
static const struct link_row {
    const char *element;
    const char *attributes[4];
} link_rows[] = {
    { "a", { "href" } },
    { "applet", { "codebase" } },
    { "area", { "href" } },
    { "audio", { "src" } },
    { "base", { "href" } },
    { "blockquote", { "cite" } },
    { "body", { "background" } },
    { "button", { "formaction" } },
    { "command", { "icon" } },
    { "del", { "cite" } },
    { "embed", { "src" } },
    { "form", { "action" } },
    { "frame", { "longdesc", "src" } },
    { "head", { "profile" } },
    { "html", { "manifest" } },
    { "iframe", { "longdesc", "src" } },
    { "img", { "longdesc", "src", "usemap" } },
    { "input", { "src", "usemap", "formaction" } },
    { "ins", { "cite" } },
    { "link", { "href" } },
    { "object", { "classid", "codebase", "data", "usemap" } },
    { "q", { "cite" } },
    { "script", { "src" } },
    { "source", { "src" } },
    { "video", { "poster", "src" } },
};

/* Elements whose content is no markup. */
static const char *const raw_names[] = { "iframe", "noembed",  "noframes", "plaintext", "script",
                                         "style",  "textarea", "title",    "xmp" };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const struct link_row *row_of(struct str element)
{
    for (size_t i = 0; i < ARRAY_LEN(link_rows); i++)
        if (str_eq_nocase(element, str_from_cstr(link_rows[i].element)))
            return &link_rows[i];
    return NULL;
}

static bool has_url(const struct link_row *row, struct str attribute)
{
    for (size_t i = 0; row && i < ARRAY_LEN(row->attributes) && row->attributes[i]; i++)
        if (str_eq_nocase(attribute, str_from_cstr(row->attributes[i])))
            return true;
    return false;
}

/* --- one start tag --- */

struct tag {
    struct str text; /* from "<"; may end before the tag does */
    size_t at;
};

static void skip_spaces(struct tag *t)
{
    while (t->at < t->text.len && (is_space(t->text.p[t->at]) || t->text.p[t->at] == '/'))
        t->at++;
}

static struct str word(struct tag *t, bool ends_at_equals, bool ends_at_slash)
{
    size_t from = t->at;

    /* An "=" that comes first is part of the name. */
    while (t->at < t->text.len && !is_space(t->text.p[t->at]) && t->text.p[t->at] != '>' &&
           !(ends_at_slash && t->text.p[t->at] == '/') &&
           !(ends_at_equals && t->at > from && t->text.p[t->at] == '='))
        t->at++;
    return str_sub(t->text, from, t->at);
}

/* After an attribute's name. False: the tag's text ends too early. Without a value: empty. */
static bool value(struct tag *t, struct str *ret)
{
    size_t from = t->at;
    char quote;

    *ret = STR("");
    while (t->at < t->text.len && is_space(t->text.p[t->at]))
        t->at++;
    if (t->at == t->text.len)
        return false;
    if (t->text.p[t->at] != '=') {
        t->at = from;
        return true;
    }
    t->at++;
    while (t->at < t->text.len && is_space(t->text.p[t->at]))
        t->at++;
    if (t->at == t->text.len)
        return false;
    quote = t->text.p[t->at];
    if (quote != '"' && quote != '\'') {
        *ret = word(t, false, false);
        return t->at < t->text.len;
    }
    from = ++t->at;
    while (t->at < t->text.len && t->text.p[t->at] != quote)
        t->at++;
    if (t->at == t->text.len)
        return false;
    *ret = str_sub(t->text, from, t->at);
    t->at++;
    return true;
}

static const char *raw_name_of(struct str element)
{
    for (size_t i = 0; i < ARRAY_LEN(raw_names); i++)
        if (str_eq_nocase(element, str_from_cstr(raw_names[i])))
            return raw_names[i];
    return NULL;
}

/* Appends the tag at the beginning of text; its length, 0 and nothing appended: it is not whole. */
static size_t pass_tag(struct html_links *h, struct str text, struct buf *out)
{
    struct tag t = { text, 1 };
    struct str element = word(&t, false, true), name, url;
    const struct link_row *row = row_of(element);
    size_t before = out->len, copied = 0;

    for (;;) {
        skip_spaces(&t);
        if (t.at < text.len && text.p[t.at] == '>')
            break;
        name = word(&t, true, true);
        if (t.at >= text.len || !value(&t, &url)) {
            out->len = before;
            return 0;
        }
        if (url.len && has_url(row, name)) {
            size_t at = (size_t)(url.p - text.p);

            buf_append_str(out, str_sub(text, copied, at));
            h->rewrite(h->arg, url, out);
            copied = at + url.len;
        }
    }
    t.at++;
    buf_append_str(out, str_sub(text, copied, t.at));
    h->raw_name = raw_name_of(element);
    return t.at;
}

/* --- what is around tags --- */

/* How much of text is over: up to and with "-->". */
static size_t pass_comment(struct html_links *h, struct str text, struct buf *out)
{
    static const struct str end = STR_INIT("-->");
    size_t n = text.len;

    for (size_t i = 0; i + end.len <= text.len; i++)
        if (str_eq(str_sub(text, i, i + end.len), end)) {
            h->in_comment = false;
            n = i + end.len;
            break;
        }
    if (h->in_comment) /* the end may come in pieces */
        n = text.len < end.len ? 0 : text.len - (end.len - 1);
    buf_append_str(out, str_sub(text, 0, n));
    return n;
}

/* Up to "</script", which is left. */
static size_t pass_raw(struct html_links *h, struct str text, struct buf *out)
{
    struct str name = str_from_cstr(h->raw_name);
    size_t need = name.len + 2, i;

    for (i = 0; i + need <= text.len; i++)
        if (text.p[i] == '<' && text.p[i + 1] == '/' &&
            str_eq_nocase(str_sub(text, i + 2, i + need), name)) {
            h->raw_name = NULL;
            break;
        }
    buf_append_str(out, str_sub(text, 0, i));
    return i;
}

/* At "<". 0: more of it is needed. */
static size_t pass_markup(struct html_links *h, struct str text, struct buf *out)
{
    static const struct str comment = STR_INIT("<!--");
    size_t n;

    if (text.len < 2 || (text.len < comment.len && str_has_prefix(comment, text)))
        return 0;
    if (str_has_prefix(text, comment)) {
        h->in_comment = true;
        n = comment.len - 2; /* its dashes may be those of the end: "<!-->" */
    } else if (is_letter(text.p[1])) {
        return pass_tag(h, text, out);
    } else {
        n = 1;
    }
    buf_append_str(out, str_sub(text, 0, n));
    return n;
}

static size_t pass_text(struct str text, struct buf *out)
{
    ptrdiff_t at = str_find(text, '<');
    size_t n = at < 0 ? text.len : (size_t)at;

    buf_append_str(out, str_sub(text, 0, n));
    return n;
}

/* How many bytes are done with; 0: what is left must wait for more. */
static size_t pass_some(struct html_links *h, struct str text, struct buf *out)
{
    const char *raw = h->raw_name;
    size_t n;

    if (h->in_comment)
        return pass_comment(h, text, out);
    if (raw) {
        n = pass_raw(h, text, out);
        if (h->raw_name) /* no end yet */
            return n;
        buf_append_str(out, str_sub(text, n, n + 2)); /* not to be met again */
        return n + 2;
    }
    if (text.p[0] != '<')
        return pass_text(text, out);
    n = pass_markup(h, text, out);
    if (n || text.len <= HTML_LINKS_TAG_BYTES)
        return n;
    buf_append_char(out, '<');
    return 1;
}

void html_links_feed(struct html_links *h, struct str bytes, struct buf *out)
{
    struct str text;
    size_t at = 0, n;

    buf_append_str(&h->held, bytes);
    text = buf_str(&h->held);
    while (at < text.len && (n = pass_some(h, str_tail(text, at), out)) > 0)
        at += n;
    buf_drop(&h->held, at);
}

void html_links_end(struct html_links *h, struct buf *out)
{
    buf_append_str(out, buf_str(&h->held));
    buf_reset(&h->held);
}

void html_links_done(struct html_links *h)
{
    buf_done(&h->held);
}
