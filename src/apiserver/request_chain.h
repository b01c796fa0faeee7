/* The way of a request: an array of stages, each answering NEXT, DONE (it answered the request) or
 * WAIT (it will call request_chain_resume()). The order, with its reasons, is in the .c file. */
#pragma once

struct api_request;
struct http_request;

enum stage_result { STAGE_NEXT, STAGE_DONE, STAGE_WAIT };

/* http_server's on_request; arg is the struct apiserver. */
void request_chain_on_request(struct http_request *http, void *arg);
/* Goes on with the stage after the one that waited. */
void request_chain_resume(struct api_request *r);
