#include "dns/dns_message.h"

#include <criterion/criterion.h>

/* The question "web.shop.svc.cluster.local A IN", mixed case. */
#define QUESTION                                                                                   \
    "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"                                             \
    "\x03WeB\x04shop\x03svc\x07"                                                                   \
    "cluster\x05local\x00\x00\x01\x00\x01"

static struct str message(const char *p, size_t n)
{
    return str_n(p, n);
}

Test(dns_message, reads_a_question)
{
    struct dns_query q;

    cr_assert_eq(dns_query_parse(message(QUESTION, sizeof(QUESTION) - 1), &q), DNS_NOERROR);
    cr_expect_eq(q.id, 0x1234);
    cr_expect(q.recursion_desired);
    cr_expect_eq(q.type, DNS_A);
    cr_expect_str_eq(q.name, "web.shop.svc.cluster.local");
    cr_expect_eq(q.udp_bytes, DNS_UDP_BYTES);
}

Test(dns_message, knows_what_the_asker_takes)
{
    static const char edns[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01"
                               "\x01"
                               "a\x00\x00\x01\x00\x01"
                               "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
    struct dns_query q;

    cr_assert_eq(dns_query_parse(message(edns, sizeof(edns) - 1), &q), DNS_NOERROR);
    cr_expect(q.has_edns);
    cr_expect_eq(q.udp_bytes, 1232);
}

Test(dns_message, refuses_what_is_broken)
{
    static const struct {
        const char *bytes;
        size_t len;
        int code;
    } cases[] = {
        { "\x12\x34", 2, -1 },
        { "\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12, -1 },          /* an answer */
        { "\x12\x34\x10\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12, DNS_NOTIMP },  /* STATUS */
        { "\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00", 12, DNS_FORMERR }, /* two */
        { "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05"
          "ab",
          15, DNS_FORMERR }, /* a label cut off */
        { "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01", 18,
          DNS_FORMERR }, /* a pointer to itself */
        { "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01"
          "a\x00\x00\x01\x00\x01\x00\x00\x29\x04\xd0\x00\x00\x00\x00\xff\xff",
          30, DNS_FORMERR }, /* an additional record longer than the message */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct dns_query q;

        cr_expect_eq(dns_query_parse(message(cases[i].bytes, cases[i].len), &q), cases[i].code,
                     "case %zu", i);
    }
}

Test(dns_message, an_answer_repeats_the_question_as_it_was_asked)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    static const unsigned char ip[] = { 10, 96, 0, 7 };
    static const char wanted[] = "\x12\x34\x85\x80\x00\x01\x00\x01\x00\x00\x00\x00"
                                 "\x03WeB\x04shop\x03svc\x07"
                                 "cluster\x05local\x00\x00\x01\x00\x01"
                                 "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0a\x60\x00\x07";
    struct dns_answer a;
    struct dns_query q;

    cr_assert_eq(dns_query_parse(message(QUESTION, sizeof(QUESTION) - 1), &q), DNS_NOERROR);
    dns_answer_begin(&a, &out, &q, 512);
    dns_answer_address(&a, DNS_ANSWER, STR_NULL, 5, DNS_A, ip);
    dns_answer_end(&a, &q, DNS_NOERROR, true);
    cr_expect(str_eq(buf_str(&out), str_n(wanted, sizeof(wanted) - 1)));
}

Test(dns_message, what_does_not_fit_is_said_to_be_cut)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    static const unsigned char ip[] = { 10, 96, 0, 7 };
    struct dns_answer a;
    struct dns_query q;

    cr_assert_eq(dns_query_parse(message(QUESTION, sizeof(QUESTION) - 1), &q), DNS_NOERROR);
    dns_answer_begin(&a, &out, &q, q.udp_bytes);
    for (int i = 0; i < 100; i++)
        dns_answer_address(&a, DNS_ANSWER, STR_NULL, 5, DNS_A, ip);
    dns_answer_end(&a, &q, DNS_NOERROR, true);
    cr_expect_leq(out.len, 512);
    cr_expect(out.p[2] & 2, "not marked as cut");
    cr_expect_eq(a.counts[DNS_ANSWER], (512 - sizeof(QUESTION) + 1) / 16);
}

Test(dns_message, names_end_in_what_stands_before_them)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    struct dns_answer a;
    struct dns_query q;
    char name[DNS_NAME_BYTES];
    size_t at, plain;

    cr_assert_eq(dns_query_parse(message(QUESTION, sizeof(QUESTION) - 1), &q), DNS_NOERROR);
    buf_append_lit(&out, "before");
    dns_answer_begin(&a, &out, &q, 512);
    plain = out.len;
    dns_answer_name(&a, DNS_ANSWER, STR_NULL, 5, DNS_CNAME, STR("other.shop.svc.cluster.local"));
    cr_expect_eq(out.len - plain, 12 + 6 + 2, "the alias points into the question");
    at = plain - 6 + 12;
    cr_assert(dns_name_read(str_tail(buf_str(&out), 6), &at, name));
    cr_expect_str_eq(name, "other.shop.svc.cluster.local");
    plain = out.len;
    dns_answer_name(&a, DNS_ANSWER, STR("other.shop.svc.cluster.local"), 5, DNS_CNAME, STR("x.y"));
    cr_expect_eq(out.len - plain, 12 + 5, "the owner is the target before it");
    dns_answer_end(&a, &q, DNS_NOERROR, true);
}

Test(dns_message, what_was_cut_is_pointed_to_by_nobody)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    struct dns_answer a;
    struct dns_query q;
    char name[DNS_NAME_BYTES];
    size_t at;

    cr_assert_eq(dns_query_parse(message(QUESTION, sizeof(QUESTION) - 1), &q), DNS_NOERROR);
    dns_answer_begin(&a, &out, &q, sizeof(QUESTION) - 1 + 30);
    dns_answer_name(&a, DNS_ADDITIONAL, STR("a.very.long.name.that.does.not.fit.example"), 5,
                    DNS_NS, STR("example"));
    at = out.len + 12;
    dns_answer_name(&a, DNS_ANSWER, STR_NULL, 5, DNS_CNAME, STR("fit.example"));
    cr_assert(dns_name_read(buf_str(&out), &at, name));
    cr_expect_str_eq(name, "fit.example");
    dns_answer_end(&a, &q, DNS_NOERROR, true);
    cr_expect_not(out.p[2] & 2, "what is beside the answer is not missed");
}

Test(dns_message, the_version_of_edns_is_checked)
{
    static const char edns[] = "\x12\x34\x01\x10\x00\x01\x00\x00\x00\x00\x00\x01"
                               "\x01"
                               "a\x00\x00\x01\x00\x01"
                               "\x00\x00\x29\x04\xd0\x00\x01\x80\x00\x00\x00";
    CLEANUP(buf_done) struct buf out = { 0 };
    struct dns_answer a;
    struct dns_query q;

    cr_assert_eq(dns_query_parse(message(edns, sizeof(edns) - 1), &q), DNS_BADVERS);
    cr_expect(q.dnssec_ok && q.checking_disabled && !q.authentic_data);
    dns_answer_begin(&a, &out, &q, 512);
    dns_answer_end(&a, &q, DNS_BADVERS, false);
    cr_expect_eq(out.p[3] & 0x0f, 0);
    cr_expect_eq(out.p[out.len - 6], 1, "the rest of the code is in the record of EDNS");
}

Test(dns_message, a_name_does_not_point_into_itself)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    struct dns_answer a;
    struct dns_query q;
    char name[DNS_NAME_BYTES];
    size_t at;

    cr_assert_eq(dns_query_parse(message(QUESTION, sizeof(QUESTION) - 1), &q), DNS_NOERROR);
    dns_answer_begin(&a, &out, &q, 512);
    at = out.len + 12;
    dns_answer_name(&a, DNS_ANSWER, STR_NULL, 5, DNS_CNAME, STR("a.a.a.b.a"));
    cr_assert(dns_name_read(buf_str(&out), &at, name));
    cr_expect_str_eq(name, "a.a.a.b.a");
    dns_answer_end(&a, &q, DNS_NOERROR, true);
}
