#include "kubelet/node/node_pressure.h"

#include <sys/statvfs.h>

#include "api/quantity.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "kubelet/stats/machine_stats.h"

enum { HOLDS_ON_MS = 300000 };

static const struct {
    struct str name;
    enum pressure_kind kind;
} signals[PRESSURE_SIGNALS] = {
    [PRESSURE_MEMORY] = { STR_INIT("memory.available"), PRESSURE_OF_MEMORY },
    [PRESSURE_NODEFS] = { STR_INIT("nodefs.available"), PRESSURE_OF_DISK },
    [PRESSURE_NODEFS_INODES] = { STR_INIT("nodefs.inodesFree"), PRESSURE_OF_DISK },
    [PRESSURE_IMAGEFS] = { STR_INIT("imagefs.available"), PRESSURE_OF_DISK },
    [PRESSURE_IMAGEFS_INODES] = { STR_INIT("imagefs.inodesFree"), PRESSURE_OF_DISK },
    [PRESSURE_PID] = { STR_INIT("pid.available"), PRESSURE_OF_PIDS },
};

static int parse_one(struct node_pressure *p, struct str text, struct err *err)
{
    struct str name, value;
    struct quantity q;
    size_t i = 0;

    if (!str_cut(text, '<', &name, &value))
        return err_set(err, ERR_INVALID, "threshold '%.*s' is not of the form SIGNAL<AMOUNT",
                       STR_ARG(text));
    while (i < PRESSURE_SIGNALS && !str_eq(signals[i].name, str_trim(name)))
        i++;
    if (i == PRESSURE_SIGNALS)
        return err_set(err, ERR_INVALID, "unknown eviction signal '%.*s'", STR_ARG(name));
    value = str_trim(value);
    p->limits[i].is_set = true;
    if (str_has_suffix(value, STR("%"))) {
        if (!quantity_parse(str_sub(value, 0, value.len - 1), &q) || q.nano < 0 ||
            quantity_value(q) > 100)
            return err_set(err, ERR_INVALID, "'%.*s' is no percentage", STR_ARG(value));
        p->limits[i].percent = (double)q.nano / 1e9;
        return 0;
    }
    if (!quantity_parse(value, &q) || q.nano < 0)
        return err_set(err, ERR_INVALID, "'%.*s' is no amount", STR_ARG(value));
    p->limits[i].amount = (uint64_t)quantity_value(q);
    return 0;
}

int node_pressure_init(struct node_pressure *p, struct str thresholds, struct err *err)
{
    struct str part;

    *p = (struct node_pressure){ 0 };
    while (str_next(&thresholds, ',', &part)) {
        int r = str_trim(part).len ? parse_one(p, str_trim(part), err) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_reached(const struct node_pressure *p, const struct pressure_facts *f, size_t i)
{
    double limit = p->limits[i].percent > 0 ? (double)f->of[i].capacity * p->limits[i].percent / 100
                                            : (double)p->limits[i].amount;

    return p->limits[i].is_set && f->of[i].capacity && (double)f->of[i].available < limit;
}

bool node_pressure_judge(struct node_pressure *p, const struct pressure_facts *f, int64_t now_ms)
{
    bool has_changed = false;

    for (size_t i = 0; i < PRESSURE_SIGNALS; i++)
        if (is_reached(p, f, i))
            p->reached_at_ms[signals[i].kind] = now_ms;
    for (size_t k = 0; k < PRESSURE_KINDS; k++) {
        bool holds = p->reached_at_ms[k] && now_ms - p->reached_at_ms[k] < HOLDS_ON_MS;

        has_changed |= holds != p->holds[k];
        p->holds[k] = holds;
    }
    return has_changed;
}

static void read_fs(const char *path, struct pressure_facts *f, enum pressure_signal bytes,
                    enum pressure_signal inodes)
{
    struct statvfs fs;

    if (statvfs(path, &fs) < 0)
        return;
    f->of[bytes].available = (uint64_t)fs.f_bavail * fs.f_frsize;
    f->of[bytes].capacity = (uint64_t)fs.f_blocks * fs.f_frsize;
    f->of[inodes].available = fs.f_favail;
    f->of[inodes].capacity = fs.f_files; /* 0 where a file system makes them as needed */
}

void node_pressure_read(const char *root_directory, const char *image_directory,
                        struct pressure_facts *ret)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct machine_stats m;

    *ret = (struct pressure_facts){ 0 };
    machine_stats_read(&a, &m);
    ret->of[PRESSURE_MEMORY].capacity = m.memory_bytes;
    ret->of[PRESSURE_MEMORY].available = m.available_bytes;
    ret->of[PRESSURE_PID].capacity = m.max_pids;
    ret->of[PRESSURE_PID].available = m.max_pids > m.pids ? m.max_pids - m.pids : 0;
    read_fs(root_directory, ret, PRESSURE_NODEFS, PRESSURE_NODEFS_INODES);
    read_fs(image_directory, ret, PRESSURE_IMAGEFS, PRESSURE_IMAGEFS_INODES);
}
