/* pintle up: a cluster's components under one supervisor; with --detach in the background. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/cluster_flags.h"
#include "cmd/cmd.h"
#include "supervisor/run_state.h"
#include "supervisor/supervisor.h"

enum { LOG_MAX_BYTES = 16 << 20, TAIL_BYTES = 64 * 1024 };

static int fail(const char *text, int code)
{
    (void)fprintf(stderr, "pintle up: %s\n", text);
    return code;
}

/* --- in the background --- */

/* The log, appended to; a long one is put aside first. The size that it has is in *ret_size. */
static int open_log(const char *path, off_t *ret_size, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct stat st = { 0 };
    int fd;

    if (stat(path, &st) == 0 && st.st_size > LOG_MAX_BYTES) {
        (void)rename(path, arena_printf(&a, "%s.1", path).p); /* else it grows on */
        st.st_size = 0;
    }
    fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(err, errno, "open the log '%s'", path);
    *ret_size = st.st_size;
    return fd;
}

/* Lines that are meant for people, not log lines. */
static void print_reasons(int fd, off_t from)
{
    CLEANUP(mem_free) void *memory = mem_alloc(TAIL_BYTES);
    ssize_t n = pread(fd, memory, TAIL_BYTES, from);
    struct str text = n > 0 ? str_n(memory, (size_t)n) : STR_NULL, line;

    while (str_next(&text, '\n', &line))
        if (str_has_prefix(line, STR("pintle ")))
            (void)fprintf(stderr, "%.*s\n", STR_ARG(line));
}

/* What the child says until it closes its end; whether that was everything that it has to say. */
static bool pass_on(int fd)
{
    char text[4096];
    bool said = false;
    ssize_t n;

    while ((n = read(fd, text, sizeof(text))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        (void)fwrite(text, 1, (size_t)n, stdout);
        said = true;
    }
    return said;
}

/* In the child: a session of its own, without our terminal. */
static int run_detached(const struct cluster *c, const char *record, int log_fd, int out_fd)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)setsid();    /* a child just forked leads no group */
    (void)!chdir("/"); /* so that no file system is kept busy */
    (void)dup2(null_fd, STDIN_FILENO);
    (void)dup2(out_fd, STDOUT_FILENO);
    (void)dup2(log_fd, STDERR_FILENO);
    (void)close(null_fd);
    (void)close(out_fd);
    (void)close(log_fd);
    return supervisor_run(c, record);
}

static int detach(const struct cluster *c, const char *record, const char *log_path)
{
    int fds[2], log_fd, status = 0;
    struct err err;
    off_t size = 0;
    pid_t pid;

    log_fd = open_log(log_path, &size, &err);
    if (log_fd < 0)
        return fail(err.text, 1);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return fail("cannot make a pipe", 1);
    pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        _exit(run_detached(c, record, log_fd, fds[1]));
    }
    (void)close(fds[1]);
    if (pid < 0)
        return fail("cannot fork", 1);
    if (pass_on(fds[0])) {
        printf("log: %s\n", log_path);
        return 0;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    print_reasons(log_fd, size);
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
}

/* --- the command --- */

/* Beside the root, not below it: that may be a tmpfs by and by. */
static const char *log_of(struct arena *a, const struct cluster *c)
{
    struct err ignored;

    (void)run_state_make_directory("/var/log/pintle", 0755, &ignored); /* opening the log tells */
    return arena_printf(a, "/var/log/pintle/%s.log", c->is_default ? "pintle" : c->id).p;
}

static int run(struct cluster_flags *f, const char *log_path, bool is_detached)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster c;
    struct err err;
    const char *record;

    if (f->o.verbosity >= 4)
        log_set_level(LOG_LEVEL_DEBUG);
    if (cluster_plan(&a, &f->o, &c, &err) < 0)
        return fail(err.text, err.code == ERR_INVALID ? 2 : 1);
    if (geteuid() != 0)
        return fail("must run as root: nodes make namespaces, mounts and control groups", 1);
    f->o.root = c.root; /* absolute: a record outlives our working directory */
    f->o.run_dir = c.run_dir;
    record = cluster_flags_record(&a, f).p;
    if (!is_detached)
        return supervisor_run(&c, record);
    return detach(&c, record, log_path ? log_path : log_of(&a, &c));
}

int cmd_up(int argc, char **argv)
{
    bool is_detached = false;
    const char *log_path = NULL;
    const struct flag more[] = {
        { "detach", FLAG_BOOL, &is_detached, "go on in the background once the cluster is Ready" },
        { "log", FLAG_STRING, &log_path,
          "with --detach: the log of all components (default below /var/log/pintle)" },
        { 0 },
    };
    struct cluster_flags f;
    struct err err;
    int r;

    cluster_flags_init(&f, more);
    r = flags_parse_only(f.rows, argc, argv, "pintle up [FLAGS]", &err);
    if (r == 1)
        return 0;
    if (r < 0)
        return fail(err.text, 2);
    if (!f.o.secure_port)
        return fail("--secure-port must not be 0: kubeconfigs name it", 2);
    return run(&f, log_path, is_detached);
}
