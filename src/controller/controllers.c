/* All controllers, in one place. */
#include "controller/controller_internal.h"

extern const struct controller serviceaccount_controller, root_ca_controller, replicaset_controller,
    replicationcontroller_controller, deployment_controller, namespace_controller,
    endpoints_controller, endpointslice_controller, endpointslice_mirroring_controller,
    garbage_collector_controller, node_ipam_controller, node_lifecycle_controller,
    taint_eviction_controller, pod_gc_controller, resourcequota_controller, disruption_controller,
    stale_disruption_controller;

const struct controller *const controller_table[] = {
    &namespace_controller,
    &serviceaccount_controller,
    &root_ca_controller,
    &replicaset_controller,
    &replicationcontroller_controller,
    &deployment_controller,
    &endpoints_controller,
    &endpointslice_controller,
    &endpointslice_mirroring_controller,
    &garbage_collector_controller,
    &node_ipam_controller,
    &node_lifecycle_controller,
    &taint_eviction_controller,
    &pod_gc_controller,
    &resourcequota_controller,
    &disruption_controller,
    &stale_disruption_controller,
    NULL,
};
