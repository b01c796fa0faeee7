#include "runtime/network_stats.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "runtime/runtime_files.h"

enum { MAX_INTERFACES = 64, FILE_BYTES = 64 * 1024, COLUMNS = 16 };

/* bytes packets errs drop fifo frame compressed multicast, then the same for what is sent */
static bool parse_columns(struct str text, uint64_t ret[COLUMNS])
{
    struct str word;
    size_t n = 0;

    while (n < COLUMNS && str_next(&text, ' ', &word))
        if (word.len && !str_to_u64(word, &ret[n++]))
            return false;
    return n == COLUMNS;
}

const struct runtime_network_stats *network_stats_parse(struct arena *a, struct str text,
                                                        size_t *ret_n)
{
    struct runtime_network_stats *all =
        ARENA_NEW_ARRAY(a, struct runtime_network_stats, MAX_INTERFACES);
    struct str line, name, rest;
    uint64_t c[COLUMNS];

    *ret_n = 0;
    while (*ret_n < MAX_INTERFACES && str_next(&text, '\n', &line)) {
        if (!str_cut(line, ':', &name, &rest) || str_eq(str_trim(name), STR("lo")) ||
            !parse_columns(str_trim(rest), c))
            continue;
        all[(*ret_n)++] = (struct runtime_network_stats){ .name = str_trim(name),
                                                          .rx_bytes = c[0],
                                                          .rx_packets = c[1],
                                                          .rx_errors = c[2],
                                                          .rx_dropped = c[3],
                                                          .tx_bytes = c[8],
                                                          .tx_packets = c[9],
                                                          .tx_errors = c[10],
                                                          .tx_dropped = c[11] };
    }
    return all;
}

const struct runtime_network_stats *network_stats_read(struct arena *a, pid_t pid, size_t *ret_n)
{
    struct str text = STR_NULL;
    struct err ignored;
    char path[64];

    *ret_n = 0;
    if (pid)
        (void)snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
    else
        (void)snprintf(path, sizeof(path), "/proc/thread-self/net/dev");
    if (runtime_files_read(a, AT_FDCWD, path, FILE_BYTES, &text, &ignored) < 0)
        return NULL;
    return network_stats_parse(a, text, ret_n);
}
