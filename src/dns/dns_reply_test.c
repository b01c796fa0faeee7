#include "dns/dns_reply.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/mem.h"

#define HEAD(answers, authority, additional)                                                       \
    "\x12\x34\x81\x80\x00\x01\x00" answers "\x00" authority "\x00" additional
#define QUESTION "\x03www\x01o\x00\x00\x01\x00\x01"
#define ALIAS    "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01r\xc0\x10"
#define ADDRESS  "\xc0\x23\x00\x01\x00\x01\x00\x00\x00\x1e\x00\x04\x01\x02\x03\x04"
#define OPT      "\x00\x00\x29\x10\x00\x00\x00\x00\x00\x00\x00"
/* The last number is how long a denial is kept. */
#define SOA                                                                                        \
    "\xc0\x10\x00\x06\x00\x01\x00\x00\x01\x00\x00\x1a\x01n\xc0\x10\xc0\x10"                        \
    "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x2d"
#define MESSAGE(...) str_n(__VA_ARGS__, sizeof(__VA_ARGS__) - 1)

Test(dns_reply, names_are_unfolded_and_written_again)
{
    struct dns_reply *r =
        dns_reply_parse(MESSAGE(HEAD("\x02", "\x00", "\x01") QUESTION ALIAS ADDRESS OPT));
    CLEANUP(buf_done) struct buf out = { 0 }, question = { 0 };
    struct dns_answer a;
    struct dns_query q;

    cr_assert(r != NULL);
    cr_expect_eq(r->n, 2, "EDNS is between two servers");
    cr_expect_eq(r->ttl_s, 30);
    cr_expect_not(r->is_negative);
    cr_expect(str_eq(r->records[0].data, MESSAGE("\x01r\x01o\x00")));
    cr_expect(str_eq(r->records[1].name, MESSAGE("\x01r\x01o\x00")));
    buf_append_lit(&question, "\x56\x78\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION);
    cr_assert_eq(dns_query_parse(buf_str(&question), &q), DNS_NOERROR);
    dns_answer_begin(&a, &out, &q, 512);
    dns_reply_print(r, 10, &a);
    dns_answer_end(&a, &q, r->rcode, false);
    mem_free(r);
    r = dns_reply_parse(buf_str(&out));
    cr_assert(r != NULL);
    cr_expect_eq(r->records[0].ttl_s, 50);
    cr_expect_eq(r->records[1].ttl_s, 20);
    cr_expect(str_eq(r->records[1].name, MESSAGE("\x01r\x01o\x00")));
    mem_free(r);
}

Test(dns_reply, how_long_it_may_be_kept)
{
    const struct {
        const char *name;
        struct str message;
        uint32_t ttl_s;
        bool is_negative;
    } cases[] = {
        { "denied", MESSAGE("\x12\x34\x81\x83\x00\x01\x00\x00\x00\x01\x00\x00" QUESTION SOA), 45,
          true },
        { "nothing of the type", MESSAGE(HEAD("\x00", "\x01", "\x00") QUESTION SOA), 45, true },
        { "an alias of nothing",
          MESSAGE(HEAD("\x01", "\x01", "\x00") QUESTION ALIAS
                  "\xc0\x10\x00\x06\x00\x01\x00\x00\x01\x00\x00\x1a\x01n\xc0"
                  "\x10\xc0\x10"
                  "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00"
                  "\x00\x04\x00\x00\x00\xff"),
          60, true },
        { "denied without a word how long",
          MESSAGE("\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION), 0, true },
        { "failed", MESSAGE("\x12\x34\x81\x82\x00\x01\x00\x01\x00\x00\x00\x00" QUESTION ALIAS), 0,
          true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct dns_reply *r = dns_reply_parse(cases[i].message);

        cr_assert(r != NULL, "%s", cases[i].name);
        cr_expect_eq(r->ttl_s, cases[i].ttl_s, "%s: %u", cases[i].name, r->ttl_s);
        cr_expect_eq(r->is_negative, cases[i].is_negative, "%s", cases[i].name);
        mem_free(r);
    }
}

Test(dns_reply, refuses_what_is_broken)
{
    const struct str cases[] = {
        MESSAGE("\x12\x34"),
        MESSAGE(HEAD("\x00", "\x00", "\x00")),                       /* no question */
        MESSAGE(HEAD("\x01", "\x00", "\x00") QUESTION),              /* no answer */
        MESSAGE(HEAD("\x02", "\x00", "\x00") QUESTION ALIAS "\xc0"), /* half a record */
        MESSAGE(HEAD("\x01", "\x00", "\x00") QUESTION
                "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x05\x01r\xc0\x10"), /* too long */
        MESSAGE(HEAD("\x01", "\x00", "\x00") QUESTION
                "\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x05\x01r\xc0\x10x"), /* more */
        MESSAGE(HEAD("\x01", "\x00", "\x00") QUESTION
                "\xc0\x40\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x00"), /* forward */
        MESSAGE(HEAD("\x01", "\x00", "\x00") QUESTION OPT),          /* no place for it */
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect(dns_reply_parse(cases[i]) == NULL, "case %zu", i);
}
