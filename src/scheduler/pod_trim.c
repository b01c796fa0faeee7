#include "scheduler/pod_trim.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"

#define DROP(list) ((list).items = NULL, (list).len = 0)

static void trim_container(struct core_v1_container *c)
{
    DROP(c->command);
    DROP(c->args);
    DROP(c->env_from);
    DROP(c->env);
    DROP(c->volume_mounts);
    DROP(c->volume_devices);
    c->liveness_probe = c->readiness_probe = c->startup_probe = NULL;
    c->lifecycle = NULL;
    c->security_context = NULL;
    c->working_dir = c->termination_message_path = c->termination_message_policy = STR_NULL;
    c->image_pull_policy = STR_NULL;
}

static bool is_anywhere(const struct core_v1_volume_source *v)
{
    return v->config_map || v->secret || v->projected || v->downward_api || v->empty_dir ||
           v->host_path;
}

void pod_trim(struct object o)
{
    struct core_v1_pod *pod = o.data;
    struct core_v1_pod_spec *spec = &pod->spec;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < spec->containers.len; i++)
        trim_container(&spec->containers.items[i]);
    for (uint32_t i = 0; i < spec->init_containers.len; i++)
        trim_container(&spec->init_containers.items[i]);
    DROP(spec->ephemeral_containers);
    for (uint32_t i = 0; i < spec->volumes.len; i++)
        if (!is_anywhere(&spec->volumes.items[i].volume_source))
            spec->volumes.items[kept++] = spec->volumes.items[i];
    spec->volumes.len = kept;
}
