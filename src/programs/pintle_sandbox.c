/* pintle-sandbox: what must happen between fork and exec, in a process of its own.
 *
 *   pintle-sandbox create PAUSE EMPTY_DIR NETNS HOSTNAME FLAGS [cgroup.procs ...] -- [key=value
 * ...] makes a Pod's namespaces (NETNS: a file to keep the network by, "": the caller's; FLAGS: i:
 * an ipc, p: a pid namespace), sets sysctls inside, starts PAUSE in them with nothing but an empty
 *     root and no privileges, and prints its pid.
 *   pintle-sandbox run [cgroup.procs ...] -- PROGRAM ARG...
 *     becomes PROGRAM in these cgroups, with our standard output as its descriptor 3 instead. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOBODY = 65535, SYNC_FD = 3 };

/* Asked by the address sanitizer where it is built in: from a pid namespace without its own /proc
 * leaks cannot be looked for. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static int fail(const char *what)
{
    (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), saved;
    ssize_t n;

    if (fd < 0)
        return -1;
    n = write(fd, text, strlen(text));
    saved = errno;
    (void)close(fd);
    errno = saved;
    return n < 0 ? -1 : 0;
}

/* Into the cgroups named up to "--"; the index behind it, or -1. */
static int enter_cgroups(int argc, char **argv, int at)
{
    for (; at < argc && strcmp(argv[at], "--") != 0; at++)
        if (write_file(argv[at], "0") < 0) {
            (void)fail(argv[at]);
            return -1;
        }
    return at + 1;
}

static int set_loopback_up(void)
{
    struct ifreq ifr = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

    if (fd < 0)
        return -1;
    ifr.ifr_flags = IFF_UP | IFF_RUNNING;
    r = ioctl(fd, SIOCSIFFLAGS, &ifr);
    (void)close(fd);
    return r;
}

static int make_network(const char *path)
{
    int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

    if (fd < 0)
        return -1;
    (void)close(fd);
    if (unshare(CLONE_NEWNET) < 0 || mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
        return -1;
    return set_loopback_up();
}

static int set_sysctl(char *setting)
{
    char path[512], *equals = strchr(setting, '=');
    bool has_slash;
    int n;

    errno = EINVAL;
    if (!equals || strstr(setting, ".."))
        return -1;
    *equals = '\0';
    has_slash = strchr(setting, '/') != NULL;
    n = snprintf(path, sizeof(path), "/proc/sys/%s", setting);
    if (n < 0 || (size_t)n >= sizeof(path))
        return -1;
    for (char *p = path + sizeof("/proc/sys"); *p && !has_slash; p++)
        if (*p == '.')
            *p = '/';
    return write_file(path, equals + 1);
}

/* A root with nothing in it: a shared PID namespace shows this process to containers. */
static int enter_empty_root(const char *dir)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("empty", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=2") < 0 ||
        chdir(dir) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return -1;
    return chdir("/");
}

static void become_pause(int pause_fd, int error_fd)
{
    static char name[] = "pause";
    char *const argv[] = { name, NULL };
    char *const env[] = { NULL };
    int failed;

    (void)setsid(); /* a new process leads no group: does not fail */
    (void)signal(SIGCHLD, SIG_IGN);
    if (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
        setresuid(NOBODY, NOBODY, NOBODY) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
        for (int fd = 0; fd < 3; fd++)
            (void)close(fd);
        (void)syscall(SYS_execveat, pause_fd, "", argv, env, AT_EMPTY_PATH);
    }
    failed = errno;
    (void)!write(error_fd, &failed, sizeof(failed)); /* nobody is left to tell otherwise */
    _exit(1);
}

static int start_pause(int pause_fd)
{
    int error[2], failed;
    pid_t pid;

    if (pipe2(error, O_CLOEXEC) < 0)
        return fail("pipe");
    pid = fork();
    if (pid < 0)
        return fail("fork");
    if (pid == 0)
        become_pause(pause_fd, error[1]);
    (void)close(error[1]);
    if (read(error[0], &failed, sizeof(failed)) == sizeof(failed)) {
        errno = failed;
        return fail("start pause");
    }
    (void)printf("%d\n", (int)pid);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int create(int argc, char **argv)
{
    const char *pause = argv[2], *empty = argv[3], *netns = argv[4], *hostname = argv[5];
    int flags =
        (strchr(argv[6], 'i') ? CLONE_NEWIPC : 0) | (strchr(argv[6], 'p') ? CLONE_NEWPID : 0);
    int pause_fd = open(pause, O_RDONLY | O_CLOEXEC), at;

    if (pause_fd < 0)
        return fail(pause);
    at = enter_cgroups(argc, argv, 7);
    if (at < 0)
        return 1;
    if (netns[0] && make_network(netns) < 0)
        return fail("make the network namespace");
    if (unshare(flags | CLONE_NEWUTS) < 0)
        return fail("make namespaces");
    if (hostname[0] && sethostname(hostname, strlen(hostname)) < 0)
        return fail("set the hostname");
    for (; at < argc; at++)
        if (set_sysctl(argv[at]) < 0)
            return fail(argv[at]);
    if (enter_empty_root(empty) < 0)
        return fail("make an empty root");
    return start_pause(pause_fd);
}

static int run(int argc, char **argv)
{
    int at = enter_cgroups(argc, argv, 2), null;

    if (at < 0 || at >= argc)
        return 1;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(STDOUT_FILENO, SYNC_FD) < 0 || dup2(null, STDOUT_FILENO) < 0)
        return fail("arrange descriptors");
    (void)execvp(argv[at], argv + at);
    return fail(argv[at]);
}

int main(int argc, char **argv)
{
    if (argc >= 7 && strcmp(argv[1], "create") == 0)
        return create(argc, argv);
    if (argc >= 3 && strcmp(argv[1], "run") == 0)
        return run(argc, argv);
    (void)fprintf(stderr, "pintle-sandbox is run by the kubelet\n");
    return 2;
}
