/* The decision that DELETE and deletecollection share. */
#pragma once

#include "apiserver/registry/write.h"

struct meta_v1_delete_options;

enum write_decision delete_core(struct write *w, const struct meta_v1_delete_options *opts);
