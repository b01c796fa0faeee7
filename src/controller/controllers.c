/* All controllers, in one place. */
#include "controller/controller_internal.h"

extern const struct controller serviceaccount_controller;
extern const struct controller root_ca_controller;
extern const struct controller replicaset_controller;
extern const struct controller replicationcontroller_controller;
extern const struct controller deployment_controller;
extern const struct controller namespace_controller;
extern const struct controller endpoints_controller;
extern const struct controller endpointslice_controller;
extern const struct controller endpointslice_mirroring_controller;
extern const struct controller garbage_collector_controller;
extern const struct controller node_ipam_controller;
extern const struct controller node_lifecycle_controller;
extern const struct controller taint_eviction_controller;
extern const struct controller pod_gc_controller;
extern const struct controller resourcequota_controller;
extern const struct controller disruption_controller;
extern const struct controller stale_disruption_controller;
extern const struct controller daemonset_controller;
extern const struct controller persistentvolumeclaim_controller;
extern const struct controller persistentvolume_controller;
extern const struct controller pvc_protection_controller;
extern const struct controller pv_protection_controller;
extern const struct controller vac_protection_controller;
extern const struct controller ephemeral_volume_controller;
extern const struct controller horizontal_autoscaler_controller;
extern const struct controller service_account_tokens_controller;
extern const struct controller node_ttl_controller;
extern const struct controller cluster_role_aggregation_controller;
extern const struct controller cronjob_controller;
extern const struct controller certificate_cleaning_controller;
extern const struct controller certificate_approving_controller;
extern const struct controller certificate_signing_controller;
extern const struct controller job_controller;
extern const struct controller job_orphans_controller;
extern const struct controller ttl_after_finished_controller;
extern const struct controller statefulset_controller;

const struct controller *const controller_table[] = {
    &namespace_controller,
    &serviceaccount_controller,
    &root_ca_controller,
    &replicaset_controller,
    &replicationcontroller_controller,
    &deployment_controller,
    &daemonset_controller,
    &statefulset_controller,
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
    &persistentvolumeclaim_controller,
    &persistentvolume_controller,
    &pvc_protection_controller,
    &pv_protection_controller,
    &vac_protection_controller,
    &ephemeral_volume_controller,
    &horizontal_autoscaler_controller,
    &service_account_tokens_controller,
    &node_ttl_controller,
    &cluster_role_aggregation_controller,
    &certificate_cleaning_controller,
    &certificate_approving_controller,
    &certificate_signing_controller,
    &job_controller,
    &cronjob_controller,
    &job_orphans_controller,
    &ttl_after_finished_controller,
    NULL,
};
