/* Prints the OpenAPI documents when Pintle is built, compressed: openapigen VERSION OUT.c writes a
 * C file with one row a document (src/apiserver/openapi_endpoint.h): path, SHA-512 of the plain
 * text as hash, and the gzip bytes, which stay read-only pages of the program's file. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/openapi.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/gzip.h"

static void print_hash(FILE *f, struct str text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_Digest(text.p, text.len, digest, &n, EVP_sha512(), NULL) != 1)
        exit(1);
    for (unsigned i = 0; i < n; i++)
        (void)fprintf(f, "%02X", digest[i]);
}

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
    char *hash;
    size_t hash_len;
    FILE *h = open_memstream(&hash, &hash_len);

    if (gzip_compress(&packed, text, 9) < 0 || !h)
        exit(1);
    print_hash(h, text);
    (void)fclose(h); /* memory */
    print_bytes(f, index, buf_str(&packed));
    buf_printf(rows, "    { STR_INIT(\"%.*s\"), STR_INIT(\"%s\"), bytes_%zu, %zu, %zu },\n",
               STR_ARG(path), hash, index, packed.len, text.len);
    free(hash);
}

int main(int argc, char **argv)
{
    struct arena a = { 0 };
    struct buf text = { 0 }, rows = { 0 };
    struct str version, path;
    FILE *f;

    if (argc != 3)
        return 2;
    version = str_from_cstr(argv[1]);
    f = fopen(argv[2], "we");
    if (!f)
        return 1;
    (void)fprintf(f, "/* Made by openapigen. */\n#include \"apiserver/openapi_endpoint.h\"\n\n");
    openapi_print_v2(&text, version);
    print_document(f, &rows, 0, STR("v2"), buf_str(&text));
    for (size_t i = 0; (path = openapi_v3_path(&a, i)).p; i++) {
        buf_reset(&text);
        openapi_print_v3(&text, path, version);
        print_document(f, &rows, i + 1, path, buf_str(&text));
    }
    (void)fprintf(f,
                  "\nconst struct openapi_document openapi_documents[] = {\n%s};\n"
                  "const size_t openapi_documents_len = sizeof(openapi_documents) / "
                  "sizeof(openapi_documents[0]);\n",
                  buf_cstr(&rows));
    return fclose(f) == 0 ? 0 : 1;
}
