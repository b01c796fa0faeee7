/* PATCH: the three classic patches, decoded once, applied to the newest object on every try of the
 * compare-and-set loop. */
#include "api/json_patch.h"
#include "api/merge_patch.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/strategic_merge.h"
#include "apiserver/api_request.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/registry_apply.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/registry/update_core.h"
#include "apiserver/registry/write.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct patch {
    struct write write;
    struct json_patch json;
    struct value tree;    /* merge and strategic */
    struct str complaint; /* body_patch */
};

static int decode(struct api_request *r, struct patch *p, struct err *err)
{
    switch (r->body_media) {
    case MEDIA_JSON_PATCH:
        return json_patch_decode(r->arena, r->body, &p->json, err);
    case MEDIA_MERGE_PATCH:
        return merge_patch_decode(r->arena, r->body, &p->tree, err);
    default:
        return strategic_merge_decode(r->arena, r->body, &p->tree, err);
    }
}

/* Members that the patch gives twice are wrong for who reads strictly. */
static void find_duplicate(struct api_request *r, struct patch *p)
{
    struct str path = STR_NULL;
    struct value ignored;
    struct err err;

    if (body_field_validation(r) == FIELD_VALIDATION_IGNORE ||
        value_parse(r->arena, r->body, &ignored, &path, &err) < 0 || !path.len)
        return;
    p->complaint =
        arena_printf(r->arena, "%sduplicate field \"%.*s\"",
                     r->body_media == MEDIA_JSON_PATCH ? "json patch " : "", STR_ARG(path));
}

static int apply(struct api_request *r, struct patch *p, struct value *doc, struct err *err)
{
    switch (r->body_media) {
    case MEDIA_JSON_PATCH:
        return json_patch_apply(r->arena, &p->json, doc, err);
    case MEDIA_MERGE_PATCH:
        return merge_patch_apply(r->arena, doc, &p->tree, err);
    default:
        return strategic_merge_apply(r->arena, &schema_builtin, body_type(r), doc, &p->tree, err);
    }
}

static struct status failed(struct api_request *r, int code, const struct err *err)
{
    switch (code) {
    case ERR_SYNTAX:
    case ERR_TOO_DEEP:
        return status_plain(r->arena, STATUS_BAD_REQUEST, "%s", err->text);
    case ERR_INVALID:
        return status_unrouted(r->arena, STATUS_INVALID, "%s", JSON_PATCH_FAILED_MESSAGE);
    case ERR_TOO_LARGE:
        return status_plain(r->arena, STATUS_TOO_LARGE, "%s", err->text);
    default:
        return status_plain(r->arena, STATUS_UNKNOWN, "%s", err->text);
    }
}

static enum write_decision patch_decide(struct write *w)
{
    struct patch *p = w->arg;
    struct api_request *r = w->r;
    const struct projection *projection = r->special ? r->special->projection : NULL;
    struct buf before = { 0 }, after = { 0 }, shown = { 0 };
    struct body_patch about = { .complaint = p->complaint };
    struct object updated;
    struct value doc;
    struct err err;
    int rc;

    buf_init_arena(&before, r->arena, 2048);
    object_json_encode(&before, projection ? projection->view(r, w->current) : w->current, NULL);
    rc = value_parse(r->arena, buf_str(&before), &doc, NULL, &err);
    if (rc >= 0)
        rc = apply(r, p, &doc, &err);
    if (rc < 0) {
        w->refused = failed(r, rc, &err);
        return WRITE_REFUSED;
    }
    buf_init_arena(&after, r->arena, before.len + 256);
    value_sort_members(&doc); /* the order of what is complained about is upstream's */
    value_print(&after, &doc);
    about.shown = buf_str(&after);
    if (r->body_media == MEDIA_STRATEGIC_MERGE_PATCH) {
        buf_init_arena(&shown, r->arena, r->body.len + 16);
        value_print_go(&shown, &p->tree);
        about.shown = buf_str(&shown);
    }
    if (!body_decode_patched(r, &about, buf_str(&after), &updated, &w->refused) ||
        !update_core_check_name(r, object_meta(updated), &w->refused))
        return WRITE_REFUSED;
    return update_core_view(w, updated);
}

static void patch_done(struct write *w)
{
    write_respond(w, 200);
}

void registry_patch(struct api_request *r)
{
    struct patch *p = ARENA_NEW(r->arena, struct patch);
    struct status s;
    struct err err;
    int rc;

    if (r->body_media == MEDIA_APPLY_PATCH) {
        registry_apply(r);
        return;
    }
    if (!body_check_options(r, "PatchOptions", &s)) {
        api_respond_status(r, &s);
        return;
    }
    rc = decode(r, p, &err);
    if (rc < 0) {
        s = failed(r, rc, &err);
        api_respond_status(r, &s);
        return;
    }
    find_duplicate(r, p);
    p->write = (struct write){
        .r = r,
        .namespace = r->info.namespace,
        .name = r->info.name,
        .decide = patch_decide,
        .done = patch_done,
        .arg = p,
    };
    write_run(&p->write);
}
