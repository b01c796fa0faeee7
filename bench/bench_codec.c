/* What a write's bytes cost before the store sees them, for one Pod (standard input, JSON):
 *   decode + default + validate   beside simdjson parsing the same text into a generic tree, and
 *   memcpy
 *   decode, encode                JSON and protobuf, each alone
 * Each figure is the best of ROUNDS, so that other processes' bursts drop out. Arguments name the
 * rows to run, for profiles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/defaults.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/meta_validation.h"
#include "api/object.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/schema.h"
#include "api/validation.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

enum { ROUNDS = 9, REPEAT = 4000, PADDING = 64, TEXT_MAX = 1 << 20 };

size_t simdjson_floor(const char *text, size_t len);

struct bench {
    char *text; /* PADDING zero bytes behind it */
    struct str json, pb;
    const struct schema_type *type;
    struct object object; /* decoded once, for encoding */
    struct arena arena;
    char *copy;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench-codec: %s: %s\n", what, why);
    exit(1);
}

static struct object decode_json(struct bench *b)
{
    struct object o;
    struct object_json_strict strict = { 0 };
    struct err err;

    if (object_json_decode(&b->arena, &schema_builtin, b->type, b->json, &o, &strict, &err) < 0)
        die("decode", err.text);
    return o;
}

/* --- one turn of each --- */

static void turn_admit(struct bench *b)
{
    static const struct meta_rules meta = { .namespaced = true,
                                            .name_rule = NAME_RULE_DNS1123_SUBDOMAIN };
    struct field_errors errs = { .arena = &b->arena };
    struct validation_request req = { .meta = &meta, .part = VALIDATION_MAIN };

    req.object = decode_json(b);
    object_default(&b->arena, req.object);
    object_meta(req.object)->namespace = STR("default");
    validation_run(&req, &errs);
    if (errs.len)
        die("validate", "the Pod is refused");
    arena_reset(&b->arena);
}

static void turn_decode_json(struct bench *b)
{
    (void)decode_json(b);
    arena_reset(&b->arena);
}

static void turn_encode_json(struct bench *b)
{
    CLEANUP(buf_done) struct buf out = { 0 };

    (void)buf_reserve(&out, 8192);
    object_json_encode(&out, b->object, NULL);
}

static void turn_decode_pb(struct bench *b)
{
    struct object o;
    struct err err;

    if (object_pb_decode(&b->arena, &schema_builtin, b->type, b->pb, &o, &err) < 0)
        die("decode protobuf", err.text);
    arena_reset(&b->arena);
}

static void turn_encode_pb(struct bench *b)
{
    CLEANUP(buf_done) struct buf out = { 0 };

    (void)buf_reserve(&out, 8192);
    object_pb_encode(&out, b->object);
}

static void turn_simdjson(struct bench *b)
{
    if (!simdjson_floor(b->text, b->json.len))
        die("simdjson", "cannot parse");
}

static void turn_memcpy(struct bench *b)
{
    memcpy(b->copy, b->text, b->json.len);
    __asm__ volatile("" : : "r"(b->copy) : "memory"); /* the copy is not for nothing */
}

static double best_mb_s(struct bench *b, void (*turn)(struct bench *b), size_t bytes)
{
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = clock_system.mono_ns(&clock_system), ns;
        double mb_s;

        for (int i = 0; i < REPEAT; i++)
            turn(b);
        ns = clock_system.mono_ns(&clock_system) - start;
        mb_s = (double)bytes * REPEAT * 1000.0 / (double)ns;
        best = MAX(best, mb_s);
    }
    return best;
}

static void read_pod(struct bench *b)
{
    static char text[TEXT_MAX + PADDING];
    static struct arena keep;
    struct buf pb = { 0 };
    size_t n = fread(text, 1, TEXT_MAX, stdin);
    struct err err;

    b->text = text;
    b->copy = malloc(n + 1);
    b->json = str_n(text, n);
    b->type = schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("Pod"));
    if (object_json_decode(&keep, &schema_builtin, b->type, b->json, &b->object, NULL, &err) < 0)
        die("decode", err.text);
    buf_init_arena(&pb, &keep, 8192);
    object_pb_encode(&pb, b->object);
    b->pb = buf_str(&pb);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*turn)(struct bench *b);
        bool is_pb;
    } rows[] = {
        { "admit", turn_admit, false },
        { "json_decode", turn_decode_json, false },
        { "json_encode", turn_encode_json, false },
        { "pb_decode", turn_decode_pb, true },
        { "pb_encode", turn_encode_pb, true },
        { "simdjson", turn_simdjson, false },
        { "memcpy", turn_memcpy, false },
    };
    struct bench b = { 0 };

    read_pod(&b);
    printf("json_bytes=%zu pb_bytes=%zu\n", b.json.len, b.pb.len);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!is_wanted(rows[i].name, argc, argv))
            continue;
        printf("%s=%.0f MB/s\n", rows[i].name,
               best_mb_s(&b, rows[i].turn, rows[i].is_pb ? b.pb.len : b.json.len));
    }
    return 0;
}
