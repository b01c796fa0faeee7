/* Bare LMDB writing objects durably in batches: the floor of creating. argv: directory, objects,
 * bytes of each, objects a commit. Prints objects per second. */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"

static void must(int r)
{
    if (r) {
        (void)fprintf(stderr, "lmdb: %s\n", mdb_strerror(r));
        exit(1);
    }
}

static void put_batch(MDB_env *env, size_t from, size_t to, void *bytes, size_t len)
{
    MDB_txn *txn;
    MDB_dbi dbi;

    must(mdb_txn_begin(env, NULL, 0, &txn));
    must(mdb_dbi_open(txn, NULL, 0, &dbi));
    for (size_t i = from; i < to; i++) {
        char name[64];
        int n = snprintf(name, sizeof(name), "default/bench-%08zu", i);
        MDB_val key = { .mv_size = (size_t)n, .mv_data = name };
        MDB_val value = { .mv_size = len, .mv_data = bytes };

        must(mdb_put(txn, dbi, &key, &value, 0));
    }
    must(mdb_txn_commit(txn));
}

int main(int argc, char **argv)
{
    size_t objects, len, batch;
    char dir[4096];
    MDB_env *env;
    int64_t begin;
    void *bytes;

    if (argc != 5)
        return 2;
    objects = strtoul(argv[2], NULL, 10);
    len = strtoul(argv[3], NULL, 10);
    batch = strtoul(argv[4], NULL, 10);
    (void)snprintf(dir, sizeof(dir), "%s/lmdb-floor", argv[1]);
    (void)mkdir(dir, 0700);
    must(mdb_env_create(&env));
    must(mdb_env_set_mapsize(env, (size_t)8 << 30));
    must(mdb_env_open(env, dir, 0, 0600));
    bytes = memset(mem_alloc(len), 'y', len);
    begin = clock_system.mono_ns(&clock_system);
    for (size_t i = 0; i < objects; i += batch)
        put_batch(env, i, MIN(i + batch, objects), bytes, len);
    printf("%.0f\n", (double)objects * 1e9 / (double)(clock_system.mono_ns(&clock_system) - begin));
    mdb_env_close(env);
    mem_free(bytes);
    return 0;
}
