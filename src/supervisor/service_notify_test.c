#include "supervisor/service_notify.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static int listen_at(const char *name, size_t len)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, name, len);
    cr_assert(fd >= 0 && bind(fd, (const struct sockaddr *)&a,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0);
    return fd;
}

static void expect_said(int fd, const char *text)
{
    char got[64] = { 0 };

    cr_assert_eq(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), (ssize_t)strlen(text));
    cr_expect_str_eq(got, text);
}

Test(service_notify, tells_a_socket_of_the_file_system_and_hides_it_from_others)
{
    char directory[] = "/tmp/service-notify-XXXXXX", path[64];
    int fd;

    cr_assert(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/socket", directory);
    fd = listen_at(path, strlen(path));
    (void)setenv("NOTIFY_SOCKET", path, 1);
    service_notify_take();
    cr_expect_null(getenv("NOTIFY_SOCKET"));
    service_notify_tell("READY=1");
    expect_said(fd, "READY=1");
    service_notify_tell("STOPPING=1");
    expect_said(fd, "STOPPING=1");
    (void)close(fd);
    service_notify_tell("READY=1"); /* nobody is there: no harm */
    (void)unlink(path);
    (void)rmdir(directory);
}

Test(service_notify, tells_an_abstract_socket)
{
    char name[64];
    int fd;

    (void)snprintf(name, sizeof(name), "@service-notify-%d", (int)getpid());
    (void)setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    fd = listen_at(name, 1 + strlen(name + 1));
    service_notify_take();
    service_notify_tell("READY=1");
    expect_said(fd, "READY=1");
    (void)close(fd);
}

Test(service_notify, without_a_manager_nothing_is_told)
{
    char name[256];

    (void)unsetenv("NOTIFY_SOCKET");
    service_notify_take();
    service_notify_tell("READY=1");
    memset(name, 'a', sizeof(name) - 1); /* longer than an address has room for */
    name[0] = '/';
    name[sizeof(name) - 1] = '\0';
    (void)setenv("NOTIFY_SOCKET", name, 1);
    service_notify_take();
    service_notify_tell("READY=1");
    cr_expect_null(getenv("NOTIFY_SOCKET"));
}
