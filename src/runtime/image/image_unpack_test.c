/* Layers made by hand: names and links that lead out, layers that are too much. */
#include "runtime/image/image_unpack.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/digest.h"
#include "codec/gzip.h"
#include "runtime/runtime_files.h"

static char top[] = "/tmp/pintle-unpack-XXXXXX", store[64], canary[64];

static void begin(void)
{
    char layers[80];
    struct err err;

    cr_assert(mkdtemp(top));
    (void)snprintf(store, sizeof(store), "%s/store", top);
    (void)snprintf(layers, sizeof(layers), "%s/layers", store);
    (void)snprintf(canary, sizeof(canary), "%s/canary", top);
    cr_assert(mkdir(store, 0700) == 0 && mkdir(layers, 0700) == 0);
    cr_assert_geq(runtime_files_write(canary, STR("alive"), 0600, &err), 0, "%s", err.text);
}

static void end(void)
{
    struct err err;

    (void)runtime_files_remove(AT_FDCWD, top, &err);
}

TestSuite(image_unpack, .init = begin, .fini = end);

struct entry {
    char type; /* of tar: '0' file, '1' hard link, '2' link, '3' device, '5' directory */
    const char *name, *link, *text;
};

static void append(struct buf *tar, const struct entry *e, size_t size)
{
    char head[512] = { 0 };
    unsigned sum = 0;

    (void)snprintf(head, 100, "%s", e->name);
    (void)snprintf(head + 100, 8, "%07o", 0644);
    (void)snprintf(head + 108, 8, "%07o", 0);
    (void)snprintf(head + 116, 8, "%07o", 0);
    (void)snprintf(head + 124, 12, "%011o", (unsigned)size);
    (void)snprintf(head + 136, 12, "%011o", 0);
    memset(head + 148, ' ', 8);
    head[156] = e->type;
    (void)snprintf(head + 157, 100, "%s", e->link ? e->link : "");
    memcpy(head + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof(head); i++)
        sum += (unsigned char)head[i];
    (void)snprintf(head + 148, 8, "%06o", sum);
    buf_append(tar, head, sizeof(head));
    if (e->text) {
        buf_append(tar, e->text, size);
        memset(buf_reserve(tar, 512), 0, 512);
        tar->len += (512 - size % 512) % 512;
    }
}

static void finish(struct buf *tar)
{
    memset(buf_reserve(tar, 1024), 0, 1024);
    tar->len += 1024;
}

static int layer_fd(struct str bytes)
{
    int fd = memfd_create("layer", MFD_CLOEXEC);

    cr_assert(fd >= 0 && write(fd, bytes.p, bytes.len) == (ssize_t)bytes.len);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* Unpacks it; the layer's directory is in ret_path. */
static int unpack(const struct buf *tar, const struct image_unpack_limits *limits,
                  char ret_path[200], struct err *err)
{
    char digest[DIGEST_TEXT_BYTES], name[IMAGE_LAYER_NAME_LEN + 1];
    int fd = layer_fd(buf_str(tar)), r;
    uint64_t size;

    digest_sha256_text(buf_str(tar), digest);
    r = image_unpack(store, fd, str_from_cstr(digest), limits, name, &size, err);
    (void)close(fd);
    (void)snprintf(ret_path, 200, "%s/layers/%s", store, name);
    return r;
}

static void expect_text(const char *directory, const char *name, const char *text)
{
    char path[400], got[64] = "";
    int fd;

    (void)snprintf(path, sizeof(path), "%s%s%s", directory, *name ? "/" : "", name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    cr_expect(fd >= 0, "%s", path);
    cr_expect_geq(read(fd, got, sizeof(got) - 1), 0);
    (void)close(fd);
    cr_expect_str_eq(got, text, "%s: %s", path, got);
}

Test(image_unpack, writes_what_it_says)
{
    static const struct entry entries[] = {
        { '5', "etc", NULL, NULL },          { '0', "etc/a", NULL, "one" },
        { '2', "link", "etc", NULL },        { '0', "link/b", NULL, "two" },
        { '1', "etc/c", "etc/a", NULL },     { '0', "/abs/./deep/d", NULL, "three" },
        { '2', "etc/out", canary, NULL },    { '0', "etc/out", NULL, "mine" },
        { '0', "etc/.wh.gone", NULL, NULL },
    };
    CLEANUP(buf_done) struct buf tar = { 0 };
    char path[200];
    struct err err;

    if (geteuid() != 0)
        cr_skip_test("layers have owners");
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        append(&tar, &entries[i], entries[i].text ? strlen(entries[i].text) : 0);
    finish(&tar);
    cr_assert_eq(unpack(&tar, NULL, path, &err), 0, "%s", err.text);
    expect_text(path, "etc/a", "one");
    expect_text(path, "etc/b", "two");
    expect_text(path, "etc/c", "one");
    expect_text(path, "abs/deep/d", "three");
    expect_text(path, "etc/out", "mine");
    expect_text(canary, "", "alive");
}

/* Refused or kept inside: what stands beside the layer is as it was. */
Test(image_unpack, nothing_leads_out)
{
    static const struct {
        struct entry entries[3];
        int result; /* 1: either will do */
    } cases[] = {
        { { { '0', "../../canary", NULL, "dead" } }, ERR_INVALID },
        { { { '0', "a/../../../../canary", NULL, "dead" } }, ERR_INVALID },
        { { { '5', "..", NULL, NULL } }, ERR_INVALID },
        { { { '2', "up", "../../..", NULL }, { '0', "up/canary", NULL, "dead" } }, 1 },
        { { { '2', "to", top, NULL }, { '0', "to/canary", NULL, "dead" } }, 1 },
        { { { '2', "f", canary, NULL }, { '0', "f", NULL, "dead" } }, 0 },
        { { { '1', "h", "../../../canary", NULL }, { '0', "h", NULL, "dead" } }, 1 },
        { { { '1', "h", canary, NULL }, { '0', "h", NULL, "dead" } }, 1 },
        { { { '2', "s", canary, NULL }, { '1', "h", "s", NULL }, { '0', "h", NULL, "dead" } }, 1 },
        { { { '2', "p", "/proc/self/cwd", NULL }, { '0', "p/x", NULL, "dead" } }, 1 },
    };

    if (geteuid() != 0)
        cr_skip_test("layers have owners");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(buf_done) struct buf tar = { 0 };
        char path[200];
        struct err err;
        int r;

        for (size_t k = 0; k < 3 && cases[i].entries[k].name; k++) {
            const struct entry *e = &cases[i].entries[k];

            append(&tar, e, e->text ? strlen(e->text) : 0);
        }
        finish(&tar);
        r = unpack(&tar, NULL, path, &err);
        if (cases[i].result != 1)
            cr_expect_eq(r, cases[i].result, "case %zu: %d", i, r);
        if (r < 0)
            cr_expect_neq(access(path, F_OK), 0, "case %zu: nothing of it stays", i);
        expect_text(canary, "", "alive");
    }
}

Test(image_unpack, bounds)
{
    static const struct entry small = { '0', "a", NULL, "0123456789" };
    CLEANUP(buf_done) struct buf tar = { 0 };
    char path[200], wrong[DIGEST_TEXT_BYTES], name[IMAGE_LAYER_NAME_LEN + 1];
    struct err err;
    uint64_t size;
    int fd;

    if (geteuid() != 0)
        cr_skip_test("layers have owners");
    append(&tar, &small, 10);
    append(&tar, &(struct entry){ '0', "b", NULL, "0123456789" }, 10);
    finish(&tar);
    cr_expect_eq(unpack(&tar, &(struct image_unpack_limits){ .entries = 1 }, path, &err),
                 ERR_TOO_LARGE);
    cr_expect_eq(unpack(&tar, &(struct image_unpack_limits){ .bytes = 19 }, path, &err),
                 ERR_TOO_LARGE);
    digest_sha256_text(STR("another"), wrong);
    fd = layer_fd(buf_str(&tar));
    cr_expect_lt(image_unpack(store, fd, str_from_cstr(wrong), NULL, name, &size, &err), 0);
    (void)close(fd);
    cr_expect_neq(access(path, F_OK), 0);
    cr_expect_eq(
        unpack(&tar, &(struct image_unpack_limits){ .entries = 2, .bytes = 20 }, path, &err), 0,
        "%s", err.text);
}

/* 96 MiB of nothing in 96 KiB. */
Test(image_unpack, bombs)
{
    enum { BYTES = 96 << 20 };
    CLEANUP(buf_done) struct buf tar = { 0 }, packed = { 0 };
    char digest[DIGEST_TEXT_BYTES], name[IMAGE_LAYER_NAME_LEN + 1];
    struct err err = { 0 };
    uint64_t size;
    int fd;

    if (geteuid() != 0)
        cr_skip_test("layers have owners");
    append(&tar, &(struct entry){ '0', "big", NULL, NULL }, BYTES);
    memset(buf_reserve(&tar, BYTES), 0, BYTES);
    tar.len += BYTES;
    finish(&tar);
    digest_sha256_text(buf_str(&tar), digest);
    cr_assert_eq(gzip_compress(&packed, buf_str(&tar), 1), 0);
    fd = layer_fd(buf_str(&packed));
    cr_expect_lt(image_unpack(store, fd, str_from_cstr(digest),
                              &(struct image_unpack_limits){ .ratio = 100 }, name, &size, &err),
                 0);
    cr_expect(strstr(err.text, "compressed beyond belief"), "%s", err.text);
    (void)close(fd);
}
