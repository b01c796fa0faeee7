#include "apiserver/proxying/html_links.h"

#include <criterion/criterion.h>

static void bracket(void *arg, struct str url, struct buf *out)
{
    (void)arg;
    buf_printf(out, "[%.*s]", STR_ARG(url));
}

static struct str rewrite(struct str page, size_t piece, struct buf *out)
{
    struct html_links h = { .rewrite = bracket };

    buf_reset(out);
    for (size_t at = 0; at < page.len; at += piece)
        html_links_feed(&h, str_sub(page, at, at + piece), out);
    html_links_end(&h, out);
    html_links_done(&h);
    return buf_str(out);
}

static const struct {
    const char *page, *want;
} cases[] = {
    { "<a href=\"/x\">test</a>", "<a href=\"[/x]\">test</a>" },
    { "<A\n HREF = '/x' >", "<A\n HREF = '[/x]' >" },
    { "<a href=/x/y>", "<a href=[/x/y]>" },
    { "<a href=/x class=\"a>b\" href2=/y><img src=/z/>",
      "<a href=[/x] class=\"a>b\" href2=/y><img src=[/z/]>" },
    { "<img/src=\"/x\"/><p href=/x>", "<img/src=\"[/x]\"/><p href=/x>" },
    { "<input checked src=\"\" formaction='a'>", "<input checked src=\"\" formaction='[a]'>" },
    { "1 < 2 <a href=x", "1 < 2 <a href=x" },
    { "<!-- <a href=/x> --><a href=/y>", "<!-- <a href=/x> --><a href=[/y]>" },
    { "<!--><a href=/y>", "<!--><a href=[/y]>" },
    { "<!DOCTYPE html><a href=/y>", "<!DOCTYPE html><a href=[/y]>" },
    { "<script src=/s>if (a<b) '<a href=/x>'</SCRIPT ><a href=/y>",
      "<script src=[/s]>if (a<b) '<a href=/x>'</SCRIPT ><a href=[/y]>" },
    { "</a href=/x><", "</a href=/x><" },
    { "<a =href=/x href=/y>", "<a =href=/x href=[/y]>" },
    { "<", "<" },
    { "", "" },
};

Test(html_links, pages_whole_and_in_pieces)
{
    struct buf out = { 0 };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t piece = 1; piece < 30; piece++) {
            struct str got = rewrite(str_from_cstr(cases[i].page), piece, &out);

            cr_assert(str_eq(got, str_from_cstr(cases[i].want)), "%s in pieces of %zu: %.*s",
                      cases[i].page, piece, STR_ARG(got));
        }
    buf_done(&out);
}

Test(html_links, an_endless_tag_goes_through)
{
    struct buf page = { 0 }, out = { 0 };

    buf_append_lit(&page, "<a title=\"");
    for (int i = 0; i < 2 * HTML_LINKS_TAG_BYTES; i++)
        buf_append_char(&page, 'x');
    buf_append_lit(&page, "\" href=/x><a href=/y>");
    cr_assert(str_has_suffix(rewrite(buf_str(&page), 1000, &out), STR("\" href=/x><a href=[/y]>")));
    cr_assert_eq(out.len, page.len + 2);
    buf_done(&page);
    buf_done(&out);
}
