/* Rules of containers of every kind, in the order in which upstream looks at them. The functions
 * are in rules_container_fns.c. */
#include "api/rules_internal.h"

#define CTR  "core/v1.Container"
#define EPH  "core/v1.EphemeralContainerCommon"
#define RULE "core/v1.ContainerRestartRule"

/* What all kinds of containers share, as rows of the type T. */
#define COMMON_ROWS(T)                                                                             \
    { T, "name", RULE_REQUIRED }, { T, "name", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },        \
        { T, "image", RULE_REQUIRED },                                                             \
        { T, "terminationMessagePolicy", RULE_ENUM, .text = "File|FallbackToLogsOnError" },        \
        { T, "ports", RULE_BELOW }, { T, "env", RULE_BELOW }, { T, "envFrom", RULE_BELOW },        \
        { T, "volumeMounts", RULE_BELOW }, { T, "volumeDevices", RULE_BELOW },                     \
        { T, "imagePullPolicy", RULE_ENUM, .text = "Always|IfNotPresent|Never" },                  \
        { T, "resources", RULE_BELOW },                                                            \
        { .type = T, .check = RULE_FN, .fn = rule_resize_policies },                               \
    {                                                                                              \
        T, "securityContext", RULE_BELOW                                                           \
    }

const struct rule rules_container[] = {
    COMMON_ROWS(CTR),
    { .type = CTR, .check = RULE_FN, .fn = rule_container_kind },
    { .type = CTR,
      .check = RULE_BELOW,
      .fn = rule_container_hooks,
      .order = "lifecycle|livenessProbe|readinessProbe|startupProbe|restartPolicyRules" },
    COMMON_ROWS(EPH),
    { .type = EPH,
      .check = RULE_BELOW,
      .fn = rule_ephemeral_image,
      .order = "lifecycle|livenessProbe|readinessProbe|startupProbe|restartPolicyRules" },
    { "core/v1.EphemeralContainer", "*", RULE_BELOW },
    { .type = "core/v1.EphemeralContainer", .check = RULE_FN, .fn = rule_ephemeral },
    { RULE, "action", RULE_ENUM_SET, .text = "Restart|RestartAllContainers" },
    { RULE, "exitCodes", RULE_REQUIRED, .text = "must be specified" },
    { "core/v1.ContainerRestartRuleOnExitCodes", "operator", RULE_ENUM_SET, .text = "In|NotIn" },
    { "core/v1.ContainerRestartRuleOnExitCodes", "values", RULE_MAX_ITEMS, .max = 255 },
    { .type = "core/v1.ContainerPort", .check = RULE_FN, .fn = rule_container_port },
    { "core/v1.ContainerPort", "containerPort", RULE_REQUIRED },
    { "core/v1.ContainerPort", "containerPort", RULE_RANGE, .min = 1, .max = 65535 },
    { "core/v1.ContainerPort", "hostPort", RULE_RANGE, .min = 1, .max = 65535 },
    { "core/v1.ContainerPort", "protocol", RULE_ENUM, .text = "SCTP|TCP|UDP" },
    { "core/v1.EnvVar", "name", RULE_REQUIRED },
    { "core/v1.EnvVar", "name", RULE_NAME, .min = NAME_RULE_ENV_NAME },
    { "core/v1.EnvVarSource", "fieldRef", RULE_BELOW },
    { "core/v1.EnvVarSource", "resourceFieldRef", RULE_BELOW },
    { "core/v1.EnvVarSource", "configMapKeyRef", RULE_BELOW },
    { "core/v1.EnvVarSource", "secretKeyRef", RULE_BELOW },
    { "core/v1.EnvVarSource", "fileKeyRef", RULE_BELOW },
    { .type = "core/v1.EnvVarSource", .check = RULE_FN, .fn = rule_env_var_source },
    { "core/v1.EnvFromSource", "prefix", RULE_NAME, .min = NAME_RULE_ENV_NAME },
    { "core/v1.EnvFromSource", "configMapRef", RULE_BELOW },
    { "core/v1.EnvFromSource", "secretRef", RULE_BELOW },
    { .type = "core/v1.EnvFromSource", .check = RULE_FN, .fn = rule_env_from },
    { .type = "core/v1.ObjectFieldSelector", .check = RULE_FN, .fn = rule_field_ref },
    { .type = "core/v1.ResourceFieldSelector", .check = RULE_FN, .fn = rule_resource_ref },
    { "core/v1.ConfigMapKeySelector", "name", RULE_NAME_ALWAYS,
      .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { "core/v1.ConfigMapKeySelector", "key", RULE_REQUIRED },
    { "core/v1.ConfigMapKeySelector", "key", RULE_NAME, .min = NAME_RULE_CONFIG_KEY },
    { "core/v1.SecretKeySelector", "name", RULE_NAME_ALWAYS, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { "core/v1.SecretKeySelector", "key", RULE_REQUIRED },
    { "core/v1.SecretKeySelector", "key", RULE_NAME, .min = NAME_RULE_CONFIG_KEY },
    { "core/v1.FileKeySelector", "key", RULE_REQUIRED },
    { "core/v1.FileKeySelector", "key", RULE_NAME, .min = NAME_RULE_ENV_NAME },
    { "core/v1.FileKeySelector", "volumeName", RULE_REQUIRED },
    { "core/v1.FileKeySelector", "volumeName", RULE_NAME, .min = NAME_RULE_DNS1123_LABEL },
    { "core/v1.FileKeySelector", "path", RULE_REQUIRED },
    { .type = "core/v1.FileKeySelector", .check = RULE_FN, .fn = rule_file_key },
    { "core/v1.ConfigMapEnvSource", "name", RULE_REQUIRED },
    { "core/v1.ConfigMapEnvSource", "name", RULE_NAME_PREFIX, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { "core/v1.SecretEnvSource", "name", RULE_REQUIRED },
    { "core/v1.SecretEnvSource", "name", RULE_NAME_PREFIX, .min = NAME_RULE_DNS1123_SUBDOMAIN },
    { .type = "core/v1.VolumeMount", .check = RULE_FN, .fn = rule_volume_mount },
    { .type = "core/v1.VolumeDevice", .check = RULE_FN, .fn = rule_volume_device },
    { .type = "core/v1.ResourceRequirements", .check = RULE_FN, .fn = rule_resources },
    /* Probes and hooks. */
    { .type = "core/v1.ProbeHandler",
      .check = RULE_ONE_OF,
      .text = "must specify a handler type|may not specify more than 1 handler type",
      .order = "exec|httpGet|tcpSocket|grpc" },
    { .type = "core/v1.LifecycleHandler",
      .check = RULE_ONE_OF,
      .text = "must specify a handler type|may not specify more than 1 handler type",
      .order = "exec|httpGet|tcpSocket|sleep" },
    { .type = "core/v1.SleepAction", .check = RULE_FN, .fn = rule_sleep },
    { "core/v1.Probe", "*", RULE_BELOW },
    { "core/v1.Probe", "initialDelaySeconds", RULE_MIN, .min = 0 },
    { "core/v1.Probe", "timeoutSeconds", RULE_MIN, .min = 0 },
    { "core/v1.Probe", "periodSeconds", RULE_MIN, .min = 0 },
    { "core/v1.Probe", "successThreshold", RULE_MIN, .min = 0 },
    { "core/v1.Probe", "failureThreshold", RULE_MIN, .min = 0 },
    { "core/v1.Probe", "terminationGracePeriodSeconds", RULE_NUMBER, .min = 1, .max = INT64_MAX,
      .text = "must be greater than 0" },
    { .type = "core/v1.Probe", .check = RULE_FN, .fn = rule_probe },
    { "core/v1.ExecAction", "command", RULE_REQUIRED },
    { .type = "core/v1.HTTPGetAction", .check = RULE_FN, .fn = rule_http_get },
    { .type = "core/v1.TCPSocketAction", .check = RULE_FN, .fn = rule_tcp_socket },
    { "core/v1.GRPCAction", "port", RULE_NUMBER, .min = 1, .max = 65535 },
    { 0 },
};
