#include "kubelet/stats/machine_stats.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "runtime/runtime_files.h"

enum { FILE_BYTES = 1 << 20 };

static struct str read_file(struct arena *a, const char *path)
{
    struct str text = STR_NULL;
    struct err ignored;

    (void)runtime_files_read(a, AT_FDCWD, path, FILE_BYTES, &text, &ignored);
    return str_trim(text);
}

/* The first number of the line that begins so. */
static uint64_t number_of_line(struct str text, struct str name)
{
    struct str line, word;
    uint64_t n = 0;

    while (str_next(&text, '\n', &line)) {
        if (!str_has_prefix(line, name))
            continue;
        line = str_trim(str_tail(line, name.len));
        (void)str_next(&line, ' ', &word);
        return str_to_u64(word, &n) ? n : 0;
    }
    return 0;
}

static uint64_t number_of(struct arena *a, const char *path)
{
    uint64_t n = 0;

    return str_to_u64(read_file(a, path), &n) ? n : 0;
}

/* "0.20 0.18 0.12 1/80 11206": tasks there are, behind the slash */
static uint64_t tasks(struct str loadavg)
{
    struct str head, tail, word;
    uint64_t n = 0;

    if (!str_cut(loadavg, '/', &head, &tail) || !str_next(&tail, ' ', &word))
        return 0;
    return str_to_u64(word, &n) ? n : 0;
}

void machine_stats_read(struct arena *a, struct machine_stats *ret)
{
    struct str memory = read_file(a, "/proc/meminfo");
    uint64_t threads = number_of(a, "/proc/sys/kernel/threads-max");

    *ret = (struct machine_stats){
        .memory_bytes = number_of_line(memory, STR("MemTotal:")) * 1024,
        .inactive_file_bytes = number_of_line(memory, STR("Inactive(file):")) * 1024,
        .available_bytes = number_of_line(memory, STR("MemAvailable:")) * 1024,
        .swap_bytes = number_of_line(memory, STR("SwapTotal:")) * 1024,
        .swap_free_bytes = number_of_line(memory, STR("SwapFree:")) * 1024,
        .max_pids = number_of(a, "/proc/sys/kernel/pid_max"),
        .pids = tasks(read_file(a, "/proc/loadavg")),
        .boot_s = (int64_t)number_of_line(read_file(a, "/proc/stat"), STR("btime ")),
    };
    ret->used_bytes = ret->memory_bytes - number_of_line(memory, STR("MemFree:")) * 1024;
    if (threads && threads < ret->max_pids)
        ret->max_pids = threads;
}

void machine_stats_read_self(struct arena *a, struct runtime_usage *ret)
{
    struct str status = read_file(a, "/proc/self/status");
    struct rusage use = { 0 };

    (void)getrusage(RUSAGE_SELF, &use);
    *ret = (struct runtime_usage){
        .cpu_usage_ns = (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000 +
                        (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000,
        .memory_usage_bytes = number_of_line(status, STR("VmRSS:")) * 1024,
        .memory_working_set_bytes = number_of_line(status, STR("VmRSS:")) * 1024,
        .memory_rss_bytes = number_of_line(status, STR("RssAnon:")) * 1024,
        .page_faults = (uint64_t)use.ru_minflt,
        .major_page_faults = (uint64_t)use.ru_majflt,
        .pids = number_of_line(status, STR("Threads:")),
    };
}
