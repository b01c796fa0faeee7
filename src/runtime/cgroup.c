#include "runtime/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "runtime/runtime_files.h"

#define ROOT "/sys/fs/cgroup"

enum { CGROUP_PATH_BYTES = 4096, CGROUP_FILE_BYTES = 64 * 1024, CGROUP_MAX_DEPTH = 32 };

DEFINE_CLEANUP(DIR *, closedir);

/* Directories of v1 hierarchies; cpu,cpuacct and such are links to joint ones elsewhere, so a joint
 * one shows under both names, which does no harm. */
static const char *const hierarchies[] = { "cpu",     "cpuacct",    "cpuset", "memory",  "devices",
                                           "freezer", "blkio",      "pids",   "net_cls", "net_prio",
                                           "hugetlb", "perf_event", "systemd" };

bool cgroup_is_v2(void)
{
    return access(ROOT "/cgroup.controllers", F_OK) == 0;
}

/* The directory of path in hierarchy i; false: there is no such hierarchy (any more). */
static bool directory_of(size_t i, struct str path, char ret[CGROUP_PATH_BYTES])
{
    int n;

    if (cgroup_is_v2()) {
        n = snprintf(ret, CGROUP_PATH_BYTES, ROOT "%.*s", STR_ARG(path));
        return i == 0 && n > 0 && n < CGROUP_PATH_BYTES;
    }
    if (i >= ARRAY_LEN(hierarchies))
        return false;
    n = snprintf(ret, CGROUP_PATH_BYTES, ROOT "/%s/cgroup.procs", hierarchies[i]);
    if (access(ret, F_OK) < 0)
        return false;
    n = snprintf(ret, CGROUP_PATH_BYTES, ROOT "/%s%.*s", hierarchies[i], STR_ARG(path));
    return n > 0 && n < CGROUP_PATH_BYTES;
}

/* Hierarchies to ask directory_of() about. */
static size_t n_hierarchies(void)
{
    return cgroup_is_v2() ? 1 : ARRAY_LEN(hierarchies);
}

static int write_text(const char *directory, const char *file, struct str text)
{
    char path[CGROUP_PATH_BYTES + 64];
    ssize_t n;
    int fd, r;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    n = write(fd, text.p, text.len);
    r = n < 0 ? -errno : 0;
    (void)close(fd);
    return r;
}

static struct str read_text(struct arena *a, const char *directory, const char *file)
{
    char path[CGROUP_PATH_BYTES + 64];
    struct str text = STR_NULL;
    struct err ignored;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, file);
    (void)runtime_files_read(a, AT_FDCWD, path, CGROUP_FILE_BYTES, &text, &ignored);
    return str_trim(text);
}

static bool has_word(struct str words, struct str wanted)
{
    struct str word;

    while (str_next(&words, ' ', &word))
        if (str_eq(word, wanted))
            return true;
    return false;
}

/* v2: a group gives its children no controllers of itself, and who else has a say in the tree
 * (systemd) may have taken some back since. */
static void give_controllers(const char *parent)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str rest = read_text(&a, parent, "cgroup.controllers"), name;
    struct str given = read_text(&a, parent, "cgroup.subtree_control");

    while (str_next(&rest, ' ', &name))
        if (!has_word(given, name)) /* what cannot be had here is not given */
            (void)write_text(parent, "cgroup.subtree_control",
                             arena_printf(&a, "+%.*s", STR_ARG(name)));
}

/* v1: a new cpuset has no CPUs. */
static void inherit_sets(const char *parent, const char *directory)
{
    static const char *const sets[] = { "cpuset.cpus", "cpuset.mems" };
    CLEANUP(arena_done) struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        struct str value = read_text(&a, parent, sets[i]);

        if (value.len && read_text(&a, directory, sets[i]).len == 0)
            (void)write_text(directory, sets[i], value); /* no cpuset hierarchy: no such file */
    }
}

static int make_in(char *directory, size_t root_len, struct err *err)
{
    for (size_t i = root_len + 1;; i++) {
        char c = directory[i], parent[CGROUP_PATH_BYTES];
        bool is_new = false;

        if (c != '/' && c != '\0')
            continue;
        directory[i] = '\0';
        (void)snprintf(parent, sizeof(parent), "%s", directory);
        *strrchr(parent, '/') = '\0';
        if (mkdir(directory, 0755) == 0)
            is_new = true;
        else if (errno != EEXIST)
            return err_errno(err, errno, "make the cgroup '%s'", directory);
        if (cgroup_is_v2())
            give_controllers(parent);
        else if (is_new)
            inherit_sets(parent, directory);
        directory[i] = c;
        if (c == '\0')
            return 0;
    }
}

int cgroup_make(struct str path, struct err *err)
{
    char directory[CGROUP_PATH_BYTES];

    if (path.len < 2 || path.p[0] != '/' || str_contains(path, STR("..")))
        return err_set(err, ERR_INVALID, "'%.*s' is no path of a cgroup", STR_ARG(path));
    for (size_t i = 0; i < n_hierarchies(); i++) {
        int r;

        if (!directory_of(i, path, directory))
            continue;
        r = make_in(directory, strlen(directory) - path.len, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static void kill_in(const char *directory)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str rest, line;
    uint64_t pid;

    if (write_text(directory, "cgroup.kill", STR("1")) == 0)
        return;
    rest = read_text(&a, directory, "cgroup.procs");
    while (str_next(&rest, '\n', &line))
        if (str_to_u64(line, &pid) && pid > 1)
            (void)kill((pid_t)pid, SIGKILL); /* gone already is as good */
}

/* The group and those below: killed, and removed if `remove`. */
static int walk(const char *directory, bool remove, int depth)
{
    CLEANUP(closedir) DIR *d = opendir(directory);
    char child[CGROUP_PATH_BYTES];
    const struct dirent *e;
    int r = 0;

    if (!d)
        return errno == ENOENT ? 0 : -errno;
    while (depth < CGROUP_MAX_DEPTH && (e = readdir(d))) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        (void)snprintf(child, sizeof(child), "%s/%s", directory, e->d_name);
        r = MIN(r, walk(child, remove, depth + 1));
    }
    kill_in(directory);
    if (remove && rmdir(directory) < 0 && errno != ENOENT)
        r = -errno;
    return r;
}

int cgroup_remove(struct str path, struct err *err)
{
    char directory[CGROUP_PATH_BYTES];
    int r = 0;

    if (path.len < 2)
        return 0;
    for (size_t i = 0; i < n_hierarchies(); i++)
        if (directory_of(i, path, directory))
            r = MIN(r, walk(directory, true, 0));
    return r < 0 ? err_errno(err, -r, "remove the cgroup '%.*s'", STR_ARG(path)) : 0;
}

void cgroup_remove_empty(struct str path)
{
    char directory[CGROUP_PATH_BYTES];

    if (path.len < 2)
        return;
    for (size_t i = 0; i < n_hierarchies(); i++)
        if (directory_of(i, path, directory))
            (void)rmdir(directory); /* one in use stays */
}

void cgroup_kill(struct str path)
{
    char directory[CGROUP_PATH_BYTES];

    if (path.len < 2)
        return;
    for (size_t i = 0; i < n_hierarchies(); i++)
        if (directory_of(i, path, directory)) {
            (void)walk(directory, false, 0); /* one hierarchy tells all of them */
            return;
        }
}

struct runtime_strs cgroup_procs_files(struct arena *a, struct str path)
{
    struct str *files = ARENA_NEW_ARRAY(a, struct str, ARRAY_LEN(hierarchies));
    char directory[CGROUP_PATH_BYTES];
    size_t n = 0;

    for (size_t i = 0; i < n_hierarchies(); i++)
        if (directory_of(i, path, directory))
            files[n++] = arena_printf(a, "%s/cgroup.procs", directory);
    return (struct runtime_strs){ .items = files, .len = n };
}

/* Writes to the file of that name in whichever hierarchy has it. */
static int set_one(struct str path, const char *file, struct str value, struct err *err)
{
    char directory[CGROUP_PATH_BYTES];

    for (size_t i = 0; i < n_hierarchies(); i++) {
        int r;

        if (!directory_of(i, path, directory))
            continue;
        r = write_text(directory, file, value);
        if (r == 0)
            return 0;
        if (r != -ENOENT)
            return err_errno(err, -r, "set '%s' of cgroup '%.*s'", file, STR_ARG(path));
    }
    return 0; /* this kernel has no such limit */
}

static uint64_t weight_of(uint64_t shares) /* cpu.weight as upstream's runtimes have it */
{
    shares = MIN(MAX(shares, 2), 262144);
    return 1 + (shares - 2) * 9999 / 262142;
}

static int set_cpu(struct arena *a, struct str path, const struct runtime_resources *r,
                   struct err *err)
{
    int64_t period = r->cpu_period_us ? r->cpu_period_us : 100000;
    int code = 0;

    if (cgroup_is_v2()) {
        if (r->cpu_shares)
            code =
                set_one(path, "cpu.weight",
                        arena_printf(a, "%llu", (unsigned long long)weight_of(r->cpu_shares)), err);
        if (code == 0 && r->cpu_quota_us)
            code = set_one(
                path, "cpu.max",
                r->cpu_quota_us > 0
                    ? arena_printf(a, "%lld %lld", (long long)r->cpu_quota_us, (long long)period)
                    : arena_printf(a, "max %lld", (long long)period),
                err);
        return code;
    }
    if (r->cpu_shares)
        code = set_one(path, "cpu.shares",
                       arena_printf(a, "%llu", (unsigned long long)r->cpu_shares), err);
    if (code == 0 && r->cpu_quota_us)
        code = set_one(path, "cpu.cfs_period_us", arena_printf(a, "%lld", (long long)period), err);
    if (code == 0 && r->cpu_quota_us)
        code = set_one(path, "cpu.cfs_quota_us",
                       arena_printf(a, "%lld", (long long)r->cpu_quota_us), err);
    return code;
}

/* v1: memory may never be above memory and swap, so which goes first depends on what there is. */
static int set_memory(struct arena *a, struct str path, const struct runtime_resources *r,
                      struct err *err)
{
    struct str limit = arena_printf(a, "%lld", (long long)r->memory_limit_bytes);
    struct str both = arena_printf(a, "%lld", (long long)r->memory_swap_limit_bytes);
    int code;

    if (cgroup_is_v2())
        return set_one(path, "memory.max", limit, err);
    code = set_one(path, "memory.limit_in_bytes", limit, err);
    if (!r->memory_swap_limit_bytes)
        return code;
    if (code < 0) {
        code = set_one(path, "memory.memsw.limit_in_bytes", both, err);
        return code < 0 ? code : set_one(path, "memory.limit_in_bytes", limit, err);
    }
    return set_one(path, "memory.memsw.limit_in_bytes", both, err);
}

int cgroup_set(struct str path, const struct runtime_resources *r, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    int code = set_cpu(&a, path, r, err);

    if (code == 0 && r->memory_limit_bytes)
        code = set_memory(&a, path, r, err);
    if (code == 0 && r->pids_limit)
        code = set_one(path, "pids.max", arena_printf(&a, "%lld", (long long)r->pids_limit), err);
    if (code == 0 && r->cpuset_cpus.len)
        code = set_one(path, "cpuset.cpus", r->cpuset_cpus, err);
    if (code == 0 && r->cpuset_mems.len)
        code = set_one(path, "cpuset.mems", r->cpuset_mems, err);
    return code;
}

/* A number alone, or the one behind `key` among "key number" lines. */
static uint64_t read_number(struct str path, const char *file, struct str key)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    char directory[CGROUP_PATH_BYTES];
    uint64_t n = 0;

    for (size_t i = 0; i < n_hierarchies(); i++) {
        struct str text, line, name, value;

        if (!directory_of(i, path, directory))
            continue;
        text = read_text(&a, directory, file);
        if (!text.len)
            continue;
        if (!key.len)
            return str_to_u64(text, &n) ? n : 0;
        while (str_next(&text, '\n', &line))
            if (str_cut(line, ' ', &name, &value) && str_eq(name, key))
                return str_to_u64(value, &n) ? n : 0;
    }
    return 0;
}

void cgroup_read_stats(struct str path, struct runtime_stats *ret)
{
    bool v2 = cgroup_is_v2();
    const struct str none = STR_NULL;
    uint64_t inactive = v2 ? read_number(path, "memory.stat", STR("inactive_file"))
                           : read_number(path, "memory.stat", STR("total_inactive_file"));
    uint64_t limit = read_number(path, v2 ? "memory.max" : "memory.limit_in_bytes", none);

    ret->cpu_usage_ns = v2 ? read_number(path, "cpu.stat", STR("usage_usec")) * 1000
                           : read_number(path, "cpuacct.usage", none);
    ret->memory_usage_bytes =
        read_number(path, v2 ? "memory.current" : "memory.usage_in_bytes", none);
    ret->memory_working_set_bytes =
        ret->memory_usage_bytes > inactive ? ret->memory_usage_bytes - inactive : 0;
    ret->memory_rss_bytes = v2 ? read_number(path, "memory.stat", STR("anon"))
                               : read_number(path, "memory.stat", STR("total_rss"));
    ret->page_faults = read_number(path, "memory.stat", v2 ? STR("pgfault") : STR("total_pgfault"));
    ret->major_page_faults =
        read_number(path, "memory.stat", v2 ? STR("pgmajfault") : STR("total_pgmajfault"));
    ret->memory_limit_bytes = limit > INT64_MAX / 2 ? 0 : limit; /* v1's "none" */
    ret->pids = read_number(path, "pids.current", none);
}

uint64_t cgroup_oom_kills(struct str path)
{
    return cgroup_is_v2() ? read_number(path, "memory.events", STR("oom_kill"))
                          : read_number(path, "memory.oom_control", STR("oom_kill"));
}
