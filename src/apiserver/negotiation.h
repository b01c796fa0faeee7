/* Content negotiation: which form an answer takes and which form a body has, by Accept,
 * Accept-Encoding and Content-Type, as upstream's NegotiateOutputMediaType decides it: clauses in
 * order of q, the more specific first; the first that the endpoint can serve wins; parameters as=,
 * g=, v= ask for another kind of answer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* X(name, media type) in the order that messages list them */
#define MEDIA_TYPES(X)                                                                             \
    X(JSON, "application/json")                                                                    \
    X(YAML, "application/yaml")                                                                    \
    X(PROTOBUF, "application/vnd.kubernetes.protobuf")                                             \
    X(JSON_PATCH, "application/json-patch+json")                                                   \
    X(MERGE_PATCH, "application/merge-patch+json")                                                 \
    X(STRATEGIC_MERGE_PATCH, "application/strategic-merge-patch+json")                             \
    X(APPLY_PATCH, "application/apply-patch+yaml")                                                 \
    X(OPENAPI_V2_PROTOBUF, "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")           \
    X(TEXT, "text/plain")

enum media {
#define X(name, text) MEDIA_##name,
    MEDIA_TYPES(X)
#undef X
        MEDIA_MAX,
};

#define MEDIA_BIT(name) (1U << MEDIA_##name)
enum {
    MEDIA_OBJECTS = MEDIA_BIT(JSON) | MEDIA_BIT(YAML) | MEDIA_BIT(PROTOBUF),
    MEDIA_STREAMS = MEDIA_BIT(JSON) | MEDIA_BIT(PROTOBUF),
    MEDIA_PATCHES = MEDIA_BIT(JSON_PATCH) | MEDIA_BIT(MERGE_PATCH) |
                    MEDIA_BIT(STRATEGIC_MERGE_PATCH) | MEDIA_BIT(APPLY_PATCH),
};

enum media_as {
    MEDIA_AS_OBJECT,
    MEDIA_AS_TABLE,
    MEDIA_AS_PARTIAL_METADATA,
    MEDIA_AS_PARTIAL_METADATA_LIST,
    MEDIA_AS_GROUP_DISCOVERY, /* apidiscovery.k8s.io APIGroupDiscoveryList */
};
#define MEDIA_AS_BIT(as) (1U << (as))

/* What an endpoint can answer with. */
struct negotiation_offer {
    unsigned media;      /* MEDIA_BIT()s */
    unsigned as;         /* MEDIA_AS_BIT()s besides MEDIA_AS_OBJECT */
    bool stream;         /* is a watch */
    enum media fallback; /* for an absent header and for wildcards; JSON is 0 */
};

struct negotiation {
    enum media media;
    enum media_as as;
    struct str as_version; /* "v1", "v1beta1", "v2" ...; unset for MEDIA_AS_OBJECT */
    bool pretty;           /* parameter pretty=1 of the clause */
};

/* The answer's form. ERR_UNSUPPORTED: 406. accept may be unset. */
int negotiation_output(struct str accept, const struct negotiation_offer *offer,
                       struct negotiation *ret);
/* The body's form among `accepted`; unset is JSON where that is among them. ERR_UNSUPPORTED: 415.
 */
int negotiation_input(struct str content_type, unsigned accepted, enum media *ret);
/* Does a header name one of the types, or all types? As upstream's router reads it, before anything
 * else: parameters and quality aside. Unset says yes. */
bool negotiation_names(struct str header, unsigned media);
/* Is there a clause that asks for this kind of answer, anywhere in the header? */
bool negotiation_asks_for(struct str accept, const struct negotiation_offer *offer,
                          enum media_as as, struct negotiation *ret);
bool negotiation_accepts_gzip(struct str accept_encoding);

struct str media_text(enum media m);
struct arena;
/* "application/json, application/yaml"; of streams each with ";stream=watch". */
struct str media_list(struct arena *a, unsigned media, bool streams);
