/* PATCH with application/apply-patch+yaml. */
#pragma once

struct api_request;

void registry_apply(struct api_request *r);
