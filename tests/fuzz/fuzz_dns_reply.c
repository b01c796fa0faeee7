/* Answers of other servers: what can be read can be written into an answer of ours, within its
 * limit, and read again with the same records. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "dns/dns_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct dns_reply *r, const struct dns_query *q, size_t limit)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    struct dns_reply *again;
    struct dns_answer a;

    dns_answer_begin(&a, &out, q, limit);
    dns_reply_print(r, 1, &a);
    dns_answer_end(&a, q, r->rcode, false);
    if (out.len > limit)
        abort();
    again = dns_reply_parse(buf_str(&out));
    if (!again || (!a.is_truncated && a.counts[0] + a.counts[1] + a.counts[2] != (int)again->n))
        abort();
    for (uint32_t i = 0; !a.is_truncated && i < again->n && i < r->n; i++)
        if (again->records[i].section != DNS_ADDITIONAL &&
            !str_eq_nocase(again->records[i].data, r->records[i].data))
            abort();
    mem_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char question[] = "\x00\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                   "\x03www\x01o\x00\x00\x01\x00\x01";
    struct dns_reply *r;
    struct dns_query q;

    if (size > 65535)
        return 0;
    r = dns_reply_parse(str_n((const char *)data, size));
    if (!r)
        return 0;
    if (r->bytes > 16U * DNS_REPLY_MAX_BYTES)
        abort();
    if (dns_query_parse(str_n(question, sizeof(question) - 1), &q) != DNS_NOERROR)
        abort();
    write_and_read(r, &q, 512);
    write_and_read(r, &q, DNS_MAX_BYTES);
    mem_free(r);
    return 0;
}
