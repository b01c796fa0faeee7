/* Bytes of a server, in pieces, to the client's HTTP/1 core with calls open. */
#include "fuzz_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    return fuzz_core(http1_client_new, p, len);
}
