/* Layers of images: bytes as they come, or, after an odd first byte, a tar made of them whose names
 * and links try to leave the directory: three bytes an entry choose its type, its name and what it
 * links to. Whatever it says, what stands outside stays as it was. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "runtime/image/image_unpack.h"
#include "runtime/runtime_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char top[] = "/tmp/pintle-fuzz-XXXXXX";
static char store[64], outside[64], canary[80];
static struct stat canary_was;

static void forget(void)
{
    struct err ignored;

    (void)runtime_files_remove(AT_FDCWD, top, &ignored);
}

static void prepare(void)
{
    char layers[80];
    int fd;

    if (!mkdtemp(top))
        abort();
    (void)atexit(forget);
    (void)snprintf(store, sizeof(store), "%s/store", top);
    (void)snprintf(layers, sizeof(layers), "%s/layers", store);
    (void)snprintf(outside, sizeof(outside), "%s/outside", top);
    (void)snprintf(canary, sizeof(canary), "%s/canary", outside);
    if (mkdir(store, 0700) < 0 || mkdir(layers, 0700) < 0 || mkdir(outside, 0700) < 0)
        abort();
    fd = open(canary, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &canary_was) < 0)
        abort();
    (void)close(fd);
}

static size_t count(const char *path)
{
    DIR *d = opendir(path);
    size_t n = 0;

    if (!d)
        abort();
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n - 2; /* "." and ".." */
}

static void check_outside(void)
{
    struct stat now;

    if (stat(canary, &now) < 0 || now.st_size != canary_was.st_size ||
        now.st_mode != canary_was.st_mode || now.st_uid != canary_was.st_uid || now.st_nlink != 1 ||
        now.st_ctim.tv_nsec != canary_was.st_ctim.tv_nsec)
        abort();
    if (count(outside) != 1 || count(top) != 2 || count(store) != 1)
        abort();
}

/* --- a tar out of bytes --- */

static const char *name_of(uint8_t byte)
{
    static const char *const names[] = {
        "a",
        "a/b",
        "a/../b",
        "../../outside/x",
        "../../outside/canary",
        "/a",
        "a/b/c",
        ".wh.a",
        ".wh..wh..opq",
        "a/.wh.b",
        "a/x",
        "a/canary",
        ".wh.../outside",
        ".",
        "a/.wh.canary",
        "b/../a/",
        ".wh.",
        "a/.wh..wh..opq/",
        "store/layers",
        "b",
    };

    return byte == 255 ? canary : names[byte % ARRAY_LEN(names)];
}

static const char *target_of(uint8_t byte)
{
    static const char *const targets[] = {
        "../../../outside",        "..",  "/", "a",
        "../../../outside/canary", "a/b", "b", "/proc/self/root",
    };

    return byte & 1 ? outside : byte & 2 ? canary : targets[byte / 4 % ARRAY_LEN(targets)];
}

static void append_entry(struct buf *tar, char type, const char *name, const char *target)
{
    char h[512] = { 0 };
    unsigned sum = 0;

    (void)snprintf(h, 100, "%s", name);
    (void)snprintf(h + 100, 8, "%07o", 0644u);
    (void)snprintf(h + 108, 8, "%07o", 7u);
    (void)snprintf(h + 116, 8, "%07o", 7u);
    (void)snprintf(h + 124, 12, "%011o", type == '0' ? 5u : 0u);
    (void)snprintf(h + 136, 12, "%011o", 1u);
    memset(h + 148, ' ', 8);
    h[156] = type;
    (void)snprintf(h + 157, 100, "%s", target);
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof(h); i++)
        sum += (uint8_t)h[i];
    (void)snprintf(h + 148, 8, "%06o", sum);
    buf_append(tar, h, sizeof(h));
    if (type == '0') {
        memset(h, 0, sizeof(h));
        memcpy(h, "hello", 5);
        buf_append(tar, h, sizeof(h));
    }
}

static void make_tar(struct buf *tar, const uint8_t *data, size_t size)
{
    static const char types[] = "0125536"; /* file, hard link, link, directory, device, fifo */
    static const char end[1024];

    for (size_t i = 0; i + 2 < size && i < 300; i += 3)
        append_entry(tar, types[data[i] % (sizeof(types) - 1)], name_of(data[i + 1]),
                     target_of(data[i + 2]));
    buf_append(tar, end, sizeof(end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct image_unpack_limits limits = { .bytes = 1 << 20,
                                                       .entries = 200,
                                                       .ratio = 100 };
    CLEANUP(buf_done) struct buf tar = { 0 };
    char name[IMAGE_LAYER_NAME_LEN + 1];
    struct err err = { 0 };
    uint64_t unpacked;
    int fd = memfd_create("layer", MFD_CLOEXEC);

    if (canary[0] == 0)
        prepare();
    if (size && data[0] & 1)
        make_tar(&tar, data + 1, size - 1);
    else
        buf_append(&tar, (const char *)data, size);
    if (fd < 0 || write(fd, tar.p, tar.len) != (ssize_t)tar.len || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    /* Nothing has this digest: the layer is unpacked whole, and refused. */
    if (image_unpack(store, fd,
                     STR("sha256:"
                         "0000000000000000000000000000000000000000000000000000000000000000"),
                     &limits, name, &unpacked, &err) == 0)
        abort();
    (void)close(fd);
    check_outside();
    return 0;
}
