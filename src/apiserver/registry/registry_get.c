/* GET of one object: from a snapshot to the response, bytes copied once. */
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/list_options.h"
#include "apiserver/registry/object_response.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

static void answer(struct api_request *r, struct store_snapshot *snap, uint64_t wanted)
{
    struct group_resource gr = { r->resource->group, r->resource->name };
    struct store_object so;
    struct object o;
    struct status s;
    struct err err;
    int rc;

    if (wanted > snap->revision) {
        s = status_future_revision(r->arena, wanted, snap->revision);
        api_respond_status(r, &s);
        return;
    }
    rc = store_get(snap, registry_store_id(&r->server->registry, r->resource),
                   registry_key(r->arena, r->resource, r->info.namespace, r->info.name), &so, &err);
    if (rc >= 0 && r->special && r->special->projection)
        rc = stored_object_decode(r->arena, r->resource, &so, &o, &err);
    else if (rc >= 0) {
        object_response_send_stored(r, 200, &so);
        return;
    }
    if (rc >= 0) {
        object_response_send(r, 200, r->special->projection->view(r, o));
        return;
    }
    s = rc == ERR_NOT_FOUND ? status_not_found(r->arena, gr, r->info.name)
                            : status_of_store(r->arena, rc, &err);
    api_respond_status(r, &s);
}

void registry_get(struct api_request *r)
{
    struct str rv = request_info_param(&r->info, STR("resourceVersion"));
    struct store_snapshot snap;
    uint64_t wanted = 0;
    struct status s;
    struct err err;
    int rc;

    if (rv.len && !str_to_u64(rv, &wanted)) {
        s = list_options_bad_revision(r->arena, rv, false);
        api_respond_status(r, &s);
        return;
    }
    rc = store_snapshot_begin(r->server->store, &snap, &err);
    if (rc < 0) {
        s = status_of_store(r->arena, rc, &err);
        api_respond_status(r, &s);
        return;
    }
    answer(r, &snap, wanted);
    store_snapshot_end(&snap);
}
