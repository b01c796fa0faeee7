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
static uint64_t find_number(struct str text, struct str key)
{
    struct str line, name, value;
    uint64_t n = 0;

    if (!key.len)
        return str_to_u64(text, &n) ? n : 0;
    while (str_next(&text, '\n', &line))
        if (str_cut(line, ' ', &name, &value) && str_eq(name, key))
            return str_to_u64(value, &n) ? n : 0;
    return 0;
}

/* --- usage --- */

/* One number of a group: where it stands, and where it goes. Rows of one file stand together, so
 * that it is read once. */
struct usage_row {
    const char *hierarchy; /* v1's */
    const char *file;
    struct str key; /* unset: the number alone */
    size_t offset;
    uint64_t unit;
};
#define USAGE(field) offsetof(struct runtime_usage, field)

/* clang-format off */
static const struct usage_row rows_v1[] = {
    { "cpuacct", "cpuacct.usage", { 0 }, USAGE(cpu_usage_ns), 1 },
    { "cpuacct", "cpuacct.stat", STR_INIT("user"), USAGE(cpu_user_ns), 10000000 }, /* USER_HZ */
    { "cpuacct", "cpuacct.stat", STR_INIT("system"), USAGE(cpu_system_ns), 10000000 },
    { "cpu", "cpu.stat", STR_INIT("nr_periods"), USAGE(cpu_periods), 1 },
    { "cpu", "cpu.stat", STR_INIT("nr_throttled"), USAGE(cpu_throttled_periods), 1 },
    { "cpu", "cpu.stat", STR_INIT("throttled_time"), USAGE(cpu_throttled_ns), 1 },
    { "cpu", "cpu.shares", { 0 }, USAGE(cpu_shares), 1 },
    { "cpu", "cpu.cfs_quota_us", { 0 }, USAGE(cpu_quota_us), 1 }, /* none is -1 */
    { "cpu", "cpu.cfs_period_us", { 0 }, USAGE(cpu_period_us), 1 },
    { "memory", "memory.usage_in_bytes", { 0 }, USAGE(memory_usage_bytes), 1 },
    { "memory", "memory.max_usage_in_bytes", { 0 }, USAGE(memory_max_usage_bytes), 1 },
    { "memory", "memory.failcnt", { 0 }, USAGE(memory_failures), 1 },
    { "memory", "memory.limit_in_bytes", { 0 }, USAGE(memory_limit_bytes), 1 },
    { "memory", "memory.oom_control", STR_INIT("oom_kill"), USAGE(oom_kills), 1 },
    { "memory", "memory.stat", STR_INIT("total_inactive_file"), USAGE(memory_working_set_bytes), 1 },
    { "memory", "memory.stat", STR_INIT("total_rss"), USAGE(memory_rss_bytes), 1 },
    { "memory", "memory.stat", STR_INIT("total_cache"), USAGE(memory_cache_bytes), 1 },
    { "memory", "memory.stat", STR_INIT("total_mapped_file"), USAGE(memory_mapped_bytes), 1 },
    { "memory", "memory.stat", STR_INIT("total_swap"), USAGE(memory_swap_bytes), 1 },
    { "memory", "memory.stat", STR_INIT("total_pgfault"), USAGE(page_faults), 1 },
    { "memory", "memory.stat", STR_INIT("total_pgmajfault"), USAGE(major_page_faults), 1 },
    { "pids", "pids.current", { 0 }, USAGE(pids), 1 },
};
static const struct usage_row rows_v2[] = {
    { "", "cpu.stat", STR_INIT("usage_usec"), USAGE(cpu_usage_ns), 1000 },
    { "", "cpu.stat", STR_INIT("user_usec"), USAGE(cpu_user_ns), 1000 },
    { "", "cpu.stat", STR_INIT("system_usec"), USAGE(cpu_system_ns), 1000 },
    { "", "cpu.stat", STR_INIT("nr_periods"), USAGE(cpu_periods), 1 },
    { "", "cpu.stat", STR_INIT("nr_throttled"), USAGE(cpu_throttled_periods), 1 },
    { "", "cpu.stat", STR_INIT("throttled_usec"), USAGE(cpu_throttled_ns), 1000 },
    { "", "cpu.weight", { 0 }, USAGE(cpu_shares), 1 },
    { "", "memory.current", { 0 }, USAGE(memory_usage_bytes), 1 },
    { "", "memory.peak", { 0 }, USAGE(memory_max_usage_bytes), 1 },
    { "", "memory.max", { 0 }, USAGE(memory_limit_bytes), 1 }, /* none is "max" */
    { "", "memory.events", STR_INIT("oom_kill"), USAGE(oom_kills), 1 },
    { "", "memory.stat", STR_INIT("inactive_file"), USAGE(memory_working_set_bytes), 1 },
    { "", "memory.stat", STR_INIT("anon"), USAGE(memory_rss_bytes), 1 },
    { "", "memory.stat", STR_INIT("file"), USAGE(memory_cache_bytes), 1 },
    { "", "memory.stat", STR_INIT("file_mapped"), USAGE(memory_mapped_bytes), 1 },
    { "", "memory.stat", STR_INIT("pgfault"), USAGE(page_faults), 1 },
    { "", "memory.stat", STR_INIT("pgmajfault"), USAGE(major_page_faults), 1 },
    { "", "memory.swap.current", { 0 }, USAGE(memory_swap_bytes), 1 },
    { "", "pids.current", { 0 }, USAGE(pids), 1 },
};
/* clang-format on */

static struct str usage_text(struct arena *a, struct str path, const struct usage_row *row)
{
    char directory[CGROUP_PATH_BYTES];
    int n = snprintf(directory, sizeof(directory), ROOT "%s%s%.*s", *row->hierarchy ? "/" : "",
                     row->hierarchy, STR_ARG(path));

    return n > 0 && (size_t)n < sizeof(directory) ? read_text(a, directory, row->file) : STR_NULL;
}

/* "max 100000" or "50000 100000" */
static void read_cpu_max(struct arena *a, struct str path, struct runtime_usage *ret)
{
    const struct usage_row row = { "", "cpu.max", { 0 }, 0, 1 };
    struct str quota, period;

    if (!str_cut(usage_text(a, path, &row), ' ', &quota, &period))
        return;
    ret->cpu_quota_us = find_number(quota, STR_NULL);
    ret->cpu_period_us = find_number(period, STR_NULL);
}

void cgroup_read_usage(struct str path, struct runtime_usage *ret)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    bool v2 = cgroup_is_v2();
    const struct usage_row *rows = v2 ? rows_v2 : rows_v1;
    size_t n = v2 ? ARRAY_LEN(rows_v2) : ARRAY_LEN(rows_v1);
    struct str text = STR_NULL;
    uint64_t inactive;

    *ret = (struct runtime_usage){ 0 };
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(rows[i].file, rows[i - 1].file) != 0)
            text = usage_text(&a, path, &rows[i]);
        *(uint64_t *)(void *)((char *)ret + rows[i].offset) =
            find_number(text, rows[i].key) * rows[i].unit;
    }
    inactive = ret->memory_working_set_bytes;
    ret->memory_working_set_bytes =
        ret->memory_usage_bytes > inactive ? ret->memory_usage_bytes - inactive : 0;
    if (ret->memory_limit_bytes > INT64_MAX / 2) /* v1's "none" */
        ret->memory_limit_bytes = 0;
    if (!v2)
        return;
    if (ret->cpu_shares) /* the weight, as upstream turns shares into it */
        ret->cpu_shares = 2 + (ret->cpu_shares - 1) * 262142 / 9999;
    read_cpu_max(&a, path, ret);
}

uint64_t cgroup_oom_kills(struct str path)
{
    static const struct usage_row v1 = { "memory", "memory.oom_control", { 0 }, 0, 1 },
                                  v2 = { "", "memory.events", { 0 }, 0, 1 };
    CLEANUP(arena_done) struct arena a = { 0 };

    return find_number(usage_text(&a, path, cgroup_is_v2() ? &v2 : &v1), STR("oom_kill"));
}
