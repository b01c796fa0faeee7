/* A picture as the kubelet's port shows it. Pure. */
#pragma once

#include <stdbool.h>

struct buf;
struct stats_picture;

/* stats.kubelet.k8s.io/v1alpha1 Summary, as JSON; only_cpu_and_memory as the query says. */
void stats_print_summary(const struct stats_picture *p, bool only_cpu_and_memory, struct buf *b);
/* A v1 PodList of what runs, names and images alone. */
void stats_print_running_pods(const struct stats_picture *p, struct buf *b);
/* Prometheus' text: /metrics/resource, /metrics/cadvisor. */
void stats_print_resource(const struct stats_picture *p, struct buf *b);
void stats_print_cadvisor(const struct stats_picture *p, struct buf *b);
