#include "base/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"

/* Second column of /proc/self/statm, in pages. */
static uint64_t resident_pages(void)
{
    uint64_t pages = 0;
    struct str head, tail, rss;
    FILE *f = fopen("/proc/self/statm", "re");
    char line[128];

    if (!f)
        return 0;
    if (fgets(line, sizeof(line), f) && str_cut(str_from_cstr(line), ' ', &head, &tail)) {
        (void)str_cut(tail, ' ', &rss, &tail);
        (void)str_to_u64(rss, &pages); /* stays 0 */
    }
    (void)fclose(f); /* only read */
    return pages;
}

static uint64_t open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (!d)
        return 0;
    while (readdir(d))
        n++;
    (void)closedir(d);        /* only read */
    return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

static void print(struct buf *b, const char *name, const char *type, const char *help, double v)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, v);
}

void process_metrics_print(struct buf *b, int64_t start_wall_ns)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u); /* cannot fail for self */
    print(b, "process_cpu_seconds_total", "counter", "CPU time used.",
          (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
              (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
    print(b, "process_resident_memory_bytes", "gauge", "Resident memory.",
          (double)resident_pages() * (double)sysconf(_SC_PAGESIZE));
    print(b, "process_open_fds", "gauge", "Open file descriptors.", (double)open_files());
    print(b, "process_start_time_seconds", "gauge", "When the process started, since 1970.",
          (double)start_wall_ns / 1e9);
}
