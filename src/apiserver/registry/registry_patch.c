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
    struct value tree; /* merge and strategic */
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
    struct status s;

    switch (code) {
    case ERR_SYNTAX:
    case ERR_TOO_DEEP:
        return status_plain(r->arena, STATUS_BAD_REQUEST, "%s", err->text);
    case ERR_INVALID:
        s = status_plain(r->arena, STATUS_INVALID, "%s", JSON_PATCH_FAILED_MESSAGE);
        return s;
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
    struct buf before = { 0 }, after = { 0 };
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
    value_print(&after, &doc);
    if (!body_decode_patched(r, buf_str(&after), &updated, &w->refused))
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
