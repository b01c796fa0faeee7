/* Included by the compiler before every file of ours (-include): calls that invite overruns, hidden
 * state or a second allocator do not compile. Plain malloc and free belong to base/mem.c and to the
 * files that hand memory to a library; those say ALLOW_PLAIN_MALLOC before anything else. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* rand is not among them: OpenSSL names parameters so; its callers give themselves away by srand.
 */
#undef sprintf /* a macro for clang when fortified */
#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat strtok atoi atol atoll gets
#pragma GCC poison gmtime localtime asctime ctime srand system popen usleep mktemp tmpnam
