#include "apiserver/extensions/openapi_publication.h"

#include <pthread.h>

#include "base/mem.h"

struct openapi_publication {
    pthread_mutex_t lock;
};

struct openapi_publication *openapi_publication_new(void)
{
    struct openapi_publication *p = NEW(struct openapi_publication);

    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void openapi_publication_free(struct openapi_publication *p)
{
    if (!p)
        return;
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}
