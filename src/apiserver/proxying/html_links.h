/* Finds the attributes of an HTML page that hold URLs and lets somebody else write each anew. All
 * other bytes go through as they are. Streaming: a tag may come in pieces; one that is longer than
 * HTML_LINKS_TAG_BYTES goes through unread. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

enum { HTML_LINKS_TAG_BYTES = 16 * 1024 };

/* url as it stands in the page, entities and all; appends what stands there instead. */
typedef void html_links_fn(void *arg, struct str url, struct buf *out);

struct html_links { /* zeroed but for these two */
    html_links_fn *rewrite;
    void *arg;
    struct buf held;      /* the beginning of what cannot be told yet */
    const char *raw_name; /* inside of <script> and the like: nothing but its end counts */
    bool in_comment;
};

void html_links_feed(struct html_links *h, struct str bytes, struct buf *out);
void html_links_end(struct html_links *h, struct buf *out); /* what is held goes out as it is */
void html_links_done(struct html_links *h);
