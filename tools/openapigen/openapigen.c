/* Prints the OpenAPI documents when Pintle is built, compressed: openapigen OUT.c writes a
 * C file with one row a document (src/apiserver/openapi_endpoint.h): path, SHA-512 of the plain
 * text as hash, and the gzip bytes, which stay read-only pages of the program's file. */
#include <stdio.h>
#include <stdlib.h>

#include "api/openapi.h"
#include "api/openapi_pb.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/version.h"
#include "codec/digest.h"
#include "codec/gzip.h"

static void print_bytes(FILE *f, size_t index, struct str bytes)
{
    (void)fprintf(f, "static const unsigned char bytes_%zu[] = {", index);
    for (size_t i = 0; i < bytes.len; i++)
        (void)fprintf(f, "%s%u,", i % 32 ? "" : "\n", (unsigned char)bytes.p[i]);
    (void)fprintf(f, "\n};\n");
}

/* One document; its row goes to rows. */
static void print_document(FILE *f, struct buf *rows, size_t index, struct str path,
                           struct str text)
{
    CLEANUP(buf_done) struct buf packed = { 0 };
    CLEANUP(buf_done) struct buf hash = { 0 };
    unsigned char digest[DIGEST_SHA512_BYTES];

    if (gzip_compress(&packed, text, 9) < 0)
        exit(1);
    digest_sha512(text, digest);
    digest_append_hex(&hash, digest, sizeof(digest));
    print_bytes(f, index, buf_str(&packed));
    buf_printf(rows, "    { STR_INIT(\"%.*s\"), STR_INIT(\"%s\"), bytes_%zu, %zu, %zu },\n",
               STR_ARG(path), buf_cstr(&hash), index, packed.len, text.len);
}

typedef int protobuf_fn(struct arena *a, struct buf *b, struct str json, struct err *err);

/* JSON, and the same in protobuf. */
static void print_forms(FILE *f, struct buf *rows, size_t index, struct str path, struct str json,
                        protobuf_fn *to_protobuf)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf protobuf = { 0 };
    struct err err;

    print_document(f, rows, index, path, json);
    if (to_protobuf(&a, &protobuf, json, &err) < 0) {
        (void)fprintf(stderr, "openapigen: %s\n", err.text);
        exit(1);
    }
    path = arena_printf(&a, "%.*s.pb", STR_ARG(path));
    print_document(f, rows, index + 1, path, buf_str(&protobuf));
}

int main(int argc, char **argv)
{
    struct arena a = { 0 };
    struct buf text = { 0 }, rows = { 0 };
    struct str version = STR("v" VERSION_MAJOR "." VERSION_MINOR ".0"), path;
    FILE *f;

    if (argc != 2)
        return 2;
    f = fopen(argv[1], "we");
    if (!f)
        return 1;
    (void)fprintf(f, "/* Made by openapigen. */\n#include \"apiserver/openapi_endpoint.h\"\n\n");
    openapi_print_v2(&text, version);
    print_forms(f, &rows, 0, STR("v2"), buf_str(&text), openapi_print_v2_protobuf);
    for (size_t i = 0; (path = openapi_v3_path(&a, i)).p; i++) {
        buf_reset(&text);
        openapi_print_v3(&text, path, version);
        print_forms(f, &rows, (i + 1) * 2, path, buf_str(&text), openapi_print_v3_protobuf);
    }
    (void)fprintf(f,
                  "\nconst struct openapi_document openapi_documents[] = {\n%s};\n"
                  "const size_t openapi_documents_len = sizeof(openapi_documents) / "
                  "sizeof(openapi_documents[0]);\n",
                  buf_cstr(&rows));
    return fclose(f) == 0 ? 0 : 1;
}
