#include <criterion/criterion.h>

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SHIM_FAILED = 1, SHIM_SKIPPED = 77, SHIM_DEFAULT_SECONDS = 60 };

static struct criterion_test *tests;
static atomic_bool has_failed; /* in the child */

/* What the sanitizer finds ends the child with this status, once its test is through. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "exitcode=66:halt_on_error=0:second_deadlock_stack=1";
}

static struct criterion_test *suites;

void criterion_add(struct criterion_test *t)
{
    struct criterion_test **at = &tests;

    if (!t->name) {
        t->next = suites;
        suites = t;
        return;
    }
    while (*at && (strcmp((*at)->suite, t->suite) < 0 ||
                   (strcmp((*at)->suite, t->suite) == 0 && strcmp((*at)->name, t->name) < 0)))
        at = &(*at)->next;
    t->next = *at;
    *at = t;
}

__attribute__((format(printf, 4, 0))) static void
complain(const char *file, int line, const char *what, const char *fmt, va_list ap)
{
    (void)fprintf(stderr, "%s:%d: %s: ", file, line, what);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
}

void criterion_fail(const char *file, int line, const char *what, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    complain(file, line, what, fmt, ap);
    va_end(ap);
    _exit(SHIM_FAILED); /* other threads of the test may run: nothing is torn down under them */
}

void criterion_note(const char *file, int line, const char *what, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    complain(file, line, what, fmt, ap);
    va_end(ap);
    atomic_store(&has_failed, true);
}

void criterion_skip(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    exit(SHIM_SKIPPED);
}

static struct criterion_options options_of(const struct criterion_test *t)
{
    struct criterion_options o = t->options;

    for (const struct criterion_test *s = suites; s; s = s->next) {
        if (strcmp(s->suite, t->suite) != 0)
            continue;
        o.init = o.init ? o.init : s->options.init;
        o.fini = o.fini ? o.fini : s->options.fini;
    }
    return o;
}

static void run_child(const struct criterion_test *t, unsigned seconds)
{
    struct criterion_options o = options_of(t);

    (void)setpgid(0, 0); /* so that what it leaves behind can be ended with it */
    (void)alarm(seconds);
    if (o.init)
        o.init();
    t->fn();
    if (o.fini)
        o.fini();
    exit(atomic_load(&has_failed) ? SHIM_FAILED : 0); /* the sanitizer may make it 66 */
}

static int run(const struct criterion_test *t, unsigned seconds)
{
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0)
        run_child(t, seconds);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return SHIM_FAILED;
    (void)kill(-pid, SIGKILL);
    if (WIFSIGNALED(status)) {
        (void)fprintf(stderr, "killed by signal %d%s\n", WTERMSIG(status),
                      WTERMSIG(status) == SIGALRM ? ": it took too long" : "");
        return SHIM_FAILED;
    }
    return WEXITSTATUS(status);
}

static double seconds_since(const struct timespec *from)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) + (double)(now.tv_nsec - from->tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
    const char *filter = "*";
    unsigned seconds = SHIM_DEFAULT_SECONDS;
    int n = 0, n_failed = 0, n_skipped = 0;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--filter=", 9) == 0)
            filter = argv[i] + 9;
        else if (strcmp(argv[i], "--timeout") == 0 && i + 1 < argc)
            seconds = (unsigned)strtoul(argv[++i], NULL, 10);
    }
    for (const struct criterion_test *t = tests; t; t = t->next) {
        struct timespec from;
        char name[256];
        int status;

        (void)snprintf(name, sizeof(name), "%s/%s", t->suite, t->name);
        if (fnmatch(filter, name, 0) != 0)
            continue;
        (void)clock_gettime(CLOCK_MONOTONIC, &from);
        status = run(t, seconds);
        n++;
        n_skipped += status == SHIM_SKIPPED;
        n_failed += status != 0 && status != SHIM_SKIPPED;
        (void)printf("%s %s (%.2f s)\n",
                     status == 0              ? "ok     "
                     : status == SHIM_SKIPPED ? "skipped"
                     : status == 66           ? "race   "
                                              : "failed ",
                     name, seconds_since(&from));
    }
    (void)printf("unit: %d passed, %d failed\n", n - n_failed - n_skipped, n_failed);
    return n_failed || n == 0;
}
