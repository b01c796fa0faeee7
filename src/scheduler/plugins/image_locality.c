/* ImageLocality: nodes that have the Pod's images already, large ones counting more, and less those
 * that few nodes have (so that they do not draw every Pod). */
#include "api/core_v1.h"
#include "base/arena.h"
#include "scheduler/framework.h"

enum { MIN_BYTES = 23 << 20, MAX_CONTAINER_BYTES = 1000 << 20 };

/* As nodes name it: with a tag. */
static struct str full_name(struct arena *a, struct str image)
{
    return str_rfind(image, ':') <= str_rfind(image, '/')
               ? arena_printf(a, "%.*s:latest", STR_ARG(image))
               : image;
}

static void add_image(struct sched_cycle *c, struct str image)
{
    const struct sched_image *i = scheduler_cache_image(c->cache, full_name(c->arena, image));

    if (!i)
        return;
    if (!c->image_score)
        c->image_score = ARENA_NEW_ARRAY(c->arena, int64_t, c->cache->nodes.len);
    for (size_t k = 0; k < i->nodes.len; k++)
        c->image_score[i->nodes.items[k].row] +=
            (int64_t)((double)i->nodes.items[k].bytes *
                      ((double)i->nodes.len / (double)c->cache->n_nodes));
}

static bool pre_score(struct sched_cycle *c, const size_t *rows, size_t n)
{
    const struct core_v1_pod_spec *s = &c->pod->spec;

    (void)rows;
    (void)n;
    for (uint32_t i = 0; i < s->init_containers.len; i++)
        add_image(c, s->init_containers.items[i].image);
    for (uint32_t i = 0; i < s->containers.len; i++)
        add_image(c, s->containers.items[i].image);
    return c->image_score;
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    int64_t images = c->pod->spec.containers.len + c->pod->spec.init_containers.len,
            max = MAX_CONTAINER_BYTES * images, sum = c->image_score[row];

    (void)n;
    sum = MIN(MAX(sum, (int64_t)MIN_BYTES), max);
    return SCHED_MAX_SCORE * (sum - MIN_BYTES) / (max - MIN_BYTES);
}

const struct sched_plugin image_locality_plugin = {
    .name = "ImageLocality",
    .pre_score = pre_score,
    .score = score,
    .weight = 1,
};
