/* DNS questions: what can be read is answered with a message that can be read again, within its
 * limit, and that is an answer (which nobody takes for a question). */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "dns/dns_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(buf_done) struct buf out = { 0 };
    static const unsigned char bytes[16] = { 10, 0, 0, 1 };
    char name[DNS_NAME_BYTES];
    struct dns_answer a;
    struct dns_query q;
    size_t at = 12;

    if (dns_query_parse(str_n((const char *)data, size), &q) != DNS_NOERROR)
        return 0;
    buf_append_lit(&out, "before");
    dns_answer_begin(&a, &out, &q, q.udp_bytes);
    for (int i = 0; i < 100; i++)
        dns_answer_address(&a, DNS_ANSWER, STR_NULL, 5, i % 2 ? DNS_A : DNS_AAAA, bytes);
    dns_answer_srv(&a, STR_NULL, 5, 1, 80, str_from_cstr(q.name));
    dns_answer_soa(&a, DNS_AUTHORITY, STR("cluster.local"), 5, 1);
    dns_answer_end(&a, &q, DNS_NOERROR, true);
    if (out.len - 6 > q.udp_bytes + 12U + q.question.len)
        abort();
    if (dns_query_parse(str_tail(buf_str(&out), 6), &q) != -1)
        abort();
    if (!dns_name_read(str_tail(buf_str(&out), 6), &at, name))
        abort();
    return 0;
}
