/* Bytes of a client, in pieces, to the HTTP/1 core. */
#include "fuzz_http_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    return fuzz_http_server(http1_core_new, p, len);
}
