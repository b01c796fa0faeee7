/* CNI's results (0.3.1 to 1.0.0) in C and as JSON. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/ip_prefix.h"

struct arena;
struct buf;
struct err;
struct value;

enum { CNI_RESULT_MAX_IPS = 8, CNI_RESULT_MAX_INTERFACES = 4, CNI_TEXT_BYTES = 256 };

struct cni_interface {
    char name[16];
    char mac[18];                 /* "0a:58:0a:01:00:02" */
    char sandbox[CNI_TEXT_BYTES]; /* "" : the node's side */
};
struct cni_address {
    struct ip_prefix address;
    struct ip gateway; /* family 0: none */
    int interface;     /* index; -1: none */
};
struct cni_result {
    struct cni_interface interfaces[CNI_RESULT_MAX_INTERFACES];
    size_t n_interfaces;
    struct cni_address ips[CNI_RESULT_MAX_IPS];
    size_t n_ips;
};

/* "0.3.1", "0.4.0", "1.0.0" */
bool cni_version_is_supported(struct str version);
void cni_result_print(struct buf *b, const struct cni_result *result, struct str version);
/* Of any plugin: what does not fit (more addresses than CNI_RESULT_MAX_IPS) is an error. */
int cni_result_read(const struct value *v, struct cni_result *ret, struct err *err);
/* {"cniVersion", "code", "msg"} */
void cni_error_print(struct buf *b, struct str version, unsigned code, const char *message);
