#include "supervisor/service_notify.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un address;
static socklen_t address_len; /* 0: nobody wants to know */

void service_notify_take(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name ? strlen(name) : 0;

    address_len = 0;
    if (len > 1 && len < sizeof(address.sun_path) && (name[0] == '/' || name[0] == '@')) {
        address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(address.sun_path, name, len);
        if (name[0] == '@') /* an abstract one */
            address.sun_path[0] = '\0';
        address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    }
    (void)unsetenv("NOTIFY_SOCKET");
}

void service_notify_tell(const char *state)
{
    int fd;

    if (!address_len)
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                 (const struct sockaddr *)&address, address_len); /* it waits no longer, then */
    (void)close(fd);
}
