/* kube-system/kube-dns: the Service that Pods ask, and the slice that leads to this process.
 * Whatever is missing or other than it should be is written anew when the watch tells of it. */
#pragma once

#include <stdint.h>

struct dns_service;
struct loop;
struct rest_client;

struct dns_service_options {
    struct loop *loop;
    struct rest_client *client;
    const char *cluster_ip, *address;
    uint16_t port;
};
struct dns_service *dns_service_new(const struct dns_service_options *o);
void dns_service_free(struct dns_service *s); /* accepts NULL */
