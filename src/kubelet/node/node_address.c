#include "kubelet/node/node_address.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"

/* Connecting a datagram socket sends nothing and picks the source. */
static bool source_to(const char *address, uint16_t port, char ret[INET6_ADDRSTRLEN])
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof(from);
    bool is_v4 = inet_pton(AF_INET, address, &to.sin_addr) == 1, ok;
    int fd;

    if (!is_v4 && inet_pton(AF_INET6, address, &to6.sin6_addr) != 1)
        return false;
    fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    ok = connect(fd, is_v4 ? (const struct sockaddr *)&to : (const struct sockaddr *)&to6,
                 is_v4 ? sizeof(to) : sizeof(to6)) == 0 &&
         getsockname(fd, (struct sockaddr *)&from, &len) == 0;
    (void)close(fd);
    if (!ok)
        return false;
    return inet_ntop(
               from.ss_family,
               from.ss_family == AF_INET
                   ? (const void *)&((const struct sockaddr_in *)(const void *)&from)->sin_addr
                   : (const void *)&((const struct sockaddr_in6 *)(const void *)&from)->sin6_addr,
               ret, INET6_ADDRSTRLEN) != NULL;
}

static bool is_loopback(const char *text)
{
    return str_has_prefix(str_from_cstr(text), STR("127.")) || !strcmp(text, "::1");
}

int node_address_find(struct arena *a, struct str server, uint16_t port, struct str *ret,
                      struct err *err)
{
    /* Documentation addresses: nobody is there, and nothing is sent. */
    static const char *const anywhere[] = { "203.0.113.1", "2001:db8::1" };
    char text[INET6_ADDRSTRLEN];

    if (source_to(str_cstr(a, server), port, text) && !is_loopback(text)) {
        *ret = str_dup(a, str_from_cstr(text));
        return 0;
    }
    for (size_t i = 0; i < 2; i++)
        if (source_to(anywhere[i], 9, text) && !is_loopback(text)) {
            *ret = str_dup(a, str_from_cstr(text));
            return 0;
        }
    return err_set(err, ERR_NOT_FOUND,
                   "this machine has no address but the loopback's: say which "
                   "one to use with --node-ip");
}
