/* ServiceAccount: every Pod runs as an account of its namespace, and finds its token, the cluster's
 * authority and its namespace's name in each container, in a projected volume that the kubelet
 * keeps fresh. */
#include "api/core_v1.h"
#include "api/defaults.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/pod_references.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "apiserver/admission/pod_admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/random.h"

#define MOUNT_PATH STR("/var/run/secrets/kubernetes.io/serviceaccount")
#define PREFIX     "kube-api-access-"

static bool is_mirror(const struct core_v1_pod *pod)
{
    return text_map_find(&pod->metadata.annotations, STR("kubernetes.io/config.mirror"));
}

/* NULL: refused. */
static const struct core_v1_service_account *read_account(const struct admission_call *call,
                                                          struct str name, struct status *ret)
{
    struct api_request *r = call->request;
    const struct stored_reader reader = { &r->server->registry, call->snapshot, r->arena };
    struct object o;
    struct err err;
    int rc = stored_read_get(&reader, stored_read_row(STR(""), STR("serviceaccounts")),
                             call->namespace, name, &o, &err);

    if (rc >= 0)
        return o.data;
    if (rc == ERR_NOT_FOUND)
        pod_admission_refuse(call, ret,
                             "error looking up service account %.*s/%.*s: serviceaccount \"%.*s\" "
                             "not found",
                             STR_ARG(call->namespace), STR_ARG(name), STR_ARG(name));
    else
        *ret = status_of_store(r->arena, rc, &err);
    return NULL;
}

static bool wants_token(const struct core_v1_pod *pod,
                        const struct core_v1_service_account *account)
{
    if (pod->spec.automount_service_account_token)
        return *pod->spec.automount_service_account_token;
    return !account->automount_service_account_token || *account->automount_service_account_token;
}

static bool is_mounted(const struct core_v1_container *c)
{
    for (uint32_t i = 0; i < c->volume_mounts.len; i++)
        if (str_eq(c->volume_mounts.items[i].mount_path, MOUNT_PATH))
            return true;
    return false;
}

/* True: one of them was given the mount. */
static bool mount_in(struct arena *a, struct core_v1_container *items, uint32_t n,
                     struct str volume)
{
    bool any = false;

    for (uint32_t i = 0; i < n; i++) {
        struct core_v1_container *c = &items[i];
        uint32_t len = c->volume_mounts.len;
        struct core_v1_volume_mount *mounts;

        if (is_mounted(c))
            continue;
        mounts = ARENA_NEW_ARRAY(a, struct core_v1_volume_mount, len + 1);
        if (len)
            memcpy(mounts, c->volume_mounts.items, len * sizeof(*mounts));
        mounts[len] = (struct core_v1_volume_mount){ .name = volume,
                                                     .read_only = true,
                                                     .mount_path = MOUNT_PATH };
        c->volume_mounts.items = mounts;
        c->volume_mounts.len = len + 1;
        any = true;
    }
    return any;
}

static void add_volume(struct arena *a, struct core_v1_pod *pod, struct str name)
{
    static const char text[] =
        "{\"name\":\"%.*s\",\"projected\":{\"defaultMode\":420,\"sources\":["
        "{\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},"
        "{\"configMap\":{\"name\":\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":"
        "\"ca.crt\"}]}},"
        "{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":{\"apiVersion\":\"v1\","
        "\"fieldPath\":\"metadata.namespace\"}}]}}]}}";
    const struct schema_type *type =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("Volume"));
    uint32_t n = pod->spec.volumes.len;
    struct core_v1_volume *volumes = ARENA_NEW_ARRAY(a, struct core_v1_volume, n + 1);
    struct object o;
    struct err err;

    if (object_json_decode(a, &schema_builtin, type, arena_printf(a, text, STR_ARG(name)), &o, NULL,
                           &err) < 0)
        return; /* cannot be: the text is ours */
    if (n)
        memcpy(volumes, pod->spec.volumes.items, n * sizeof(*volumes));
    volumes[n] = *(const struct core_v1_volume *)o.data;
    pod->spec.volumes.items = volumes;
    pod->spec.volumes.len = n + 1;
}

/* The volume that a Pod of a template taken from a running one has already. */
static struct str existing_volume(const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++)
        if (str_has_prefix(pod->spec.volumes.items[i].name, STR(PREFIX)))
            return pod->spec.volumes.items[i].name;
    return STR_NULL;
}

static struct str new_name(struct arena *a)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    char suffix[5];
    uint64_t x = random_u64();

    for (size_t i = 0; i < sizeof(suffix); i++, x /= sizeof(alphabet) - 1)
        suffix[i] = alphabet[x % (sizeof(alphabet) - 1)];
    return arena_printf(a, PREFIX "%.*s", (int)sizeof(suffix), suffix);
}

static void mount_token(struct arena *a, struct core_v1_pod *pod)
{
    struct str name = existing_volume(pod);
    bool is_new = !name.len, mounted;

    if (is_new)
        name = new_name(a);
    mounted = mount_in(a, pod->spec.init_containers.items, pod->spec.init_containers.len, name);
    mounted |= mount_in(a, pod->spec.containers.items, pod->spec.containers.len, name);
    if (is_new && mounted)
        add_volume(a, pod, name);
}

/* The picture of a static Pod, which the kubelet runs without us: nothing is added to it. */
static bool check_mirror(const struct admission_call *call, const struct core_v1_pod *pod,
                         struct status *ret)
{
    if (pod->spec.service_account_name.len)
        return pod_admission_refuse(call, ret, "a mirror pod may not reference service accounts");
    if (pod_references_secrets(pod))
        return pod_admission_refuse(call, ret, "a mirror pod may not reference secrets");
    if (pod_references_tokens(pod))
        return pod_admission_refuse(
            call, ret, "a mirror pod may not use ServiceAccountToken volume projections");
    return true;
}

static bool account_mutate(const struct admission_call *call, struct status *ret)
{
    struct core_v1_pod *pod = pod_admission_of(call, false);
    const struct core_v1_service_account *account;
    struct str name;

    if (!pod)
        return true;
    if (is_mirror(pod))
        return check_mirror(call, pod, ret);
    name = pod->spec.service_account_name.len ? pod->spec.service_account_name : STR("default");
    account = read_account(call, name, ret);
    if (!account)
        return false;
    pod->spec.service_account_name = pod->spec.service_account = name;
    if (!pod->spec.image_pull_secrets.len) {
        pod->spec.image_pull_secrets.items = account->image_pull_secrets.items;
        pod->spec.image_pull_secrets.len = account->image_pull_secrets.len;
    }
    if (wants_token(pod, account))
        mount_token(call->request->arena, pod);
    return true;
}

const struct admission_plugin service_account_plugin = {
    .name = "ServiceAccount",
    .mutate = account_mutate,
};
