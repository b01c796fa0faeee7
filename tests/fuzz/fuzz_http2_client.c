/* Bytes of a server, in pieces, to the client's HTTP/2 core with calls open. */
#include "fuzz_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    return fuzz_core(http2_client_new, p, len);
}
