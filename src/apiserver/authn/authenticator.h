/* Who is asking: authenticators are tried in order until one knows the caller. */
#pragma once

struct api_request;
struct user_info;

enum authenticator_answer {
    AUTHENTICATOR_UNKNOWN, /* these are not my credentials: ask the next */
    AUTHENTICATOR_KNOWN,   /* *ret is filled, texts in the request's arena */
    AUTHENTICATOR_REFUSED, /* my kind of credentials, and they are wrong: 401 */
};

struct authenticator {
    const char *name;
    enum authenticator_answer (*authenticate)(struct api_request *r, struct user_info *ret);
};
