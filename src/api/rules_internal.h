/* The functions that rows of rules_*.c name. Each checks one struct, as its name says. */
#pragma once

#include "api/rules.h"
#include "base/map.h"

/* Names that were seen, with what they name. Few are compared, many hashed. */
struct rule_names {
    struct str *items;
    const void **values;
    size_t len;
    size_t cap;
    struct map many; /* used beyond RULE_NAMES_FEW */
};
enum { RULE_NAMES_FEW = 16 };

/* false: it was there. */
bool rule_names_add(const struct rule_context *c, struct rule_names *n, struct str name,
                    const void *value);
bool rule_names_has(const struct rule_names *n, struct str name, const void **ret);
void rule_names_done(struct rule_names *n);
DEFINE_CLEANUP_VALUE(struct rule_names, rule_names_done);

/* rules_pod_fns.c */
void rule_pod(const struct rule_context *c);
void rule_pod_template(const struct rule_context *c);
void rule_pod_begin(const struct rule_context *c);
void rule_pod_end(const struct rule_context *c);
void rule_host_ports(const struct rule_context *c);
void rule_host_network(const struct rule_context *c);
void rule_host_users(const struct rule_context *c);
void rule_pod_host_name(const struct rule_context *c);
void rule_pod_preemption(const struct rule_context *c);
void rule_dns_config(const struct rule_context *c);
void rule_host_alias(const struct rule_context *c);
void rule_pod_gate(const struct rule_context *c);
void rule_pod_claim(const struct rule_context *c);
void rule_file_keys(const struct rule_context *c);

/* rules_pod_os.c */
void rule_pod_os(const struct rule_context *c);
void rule_host_processes(const struct rule_context *c);
void rule_windows_options(const struct rule_context *c);

/* rules_pod_security.c */
void rule_pod_security(const struct rule_context *c);
void rule_security_context(const struct rule_context *c);
void rule_proc_mount(const struct rule_context *c);
void rule_seccomp_profile(const struct rule_context *c);
void rule_app_armor(const struct rule_context *c);
void rule_pod_annotations(const struct rule_context *c);
void rule_annotations_match(const struct rule_context *c);

/* rules_container_fns.c */
void rule_container_kind(const struct rule_context *c);
void rule_container_hooks(const struct rule_context *c);
void rule_ephemeral(const struct rule_context *c);
void rule_ephemeral_image(const struct rule_context *c);
void rule_resize_policies(const struct rule_context *c);
void rule_probe(const struct rule_context *c);
void rule_sleep(const struct rule_context *c);
void rule_container_port(const struct rule_context *c);
void rule_env_var_source(const struct rule_context *c);
void rule_env_from(const struct rule_context *c);
void rule_field_ref(const struct rule_context *c);
void rule_resource_ref(const struct rule_context *c);
void rule_file_key(const struct rule_context *c);
void rule_volume_mount(const struct rule_context *c);
void rule_volume_device(const struct rule_context *c);
void rule_http_get(const struct rule_context *c);
void rule_tcp_socket(const struct rule_context *c);

/* rules_placement.c */
void rule_toleration(const struct rule_context *c);

/* rules_resources.c */
struct quantity;
/* A name that a resource may have at all. */
bool rule_check_resource_name(const struct rule_context *c, const struct field_path *at,
                              struct str name);
void rule_check_container_resource(const struct rule_context *c, const struct field_path *at,
                                   struct str name);
void rule_check_amount_value(const struct rule_context *c, const struct field_path *at,
                             struct str name, struct str amount);
bool rule_is_native_resource(struct str name);
bool rule_is_extended_resource(struct str name);
void rule_resources(const struct rule_context *c);
void rule_overhead(const struct rule_context *c);
void rule_pod_resources(const struct rule_context *c);

/* rules_volume_fns.c */
void rule_volume_begin(const struct rule_context *c);
void rule_volume_name(const struct rule_context *c);
void rule_host_path(const struct rule_context *c);
void rule_key_to_path(const struct rule_context *c);
void rule_downward_file(const struct rule_context *c);
void rule_projection(const struct rule_context *c);
void rule_token_projection(const struct rule_context *c);
void rule_iscsi(const struct rule_context *c);
void rule_iscsi_volume(const struct rule_context *c);
void rule_cinder(const struct rule_context *c);
void rule_cinder_volume(const struct rule_context *c);
void rule_storage_os(const struct rule_context *c);
void rule_storage_os_volume(const struct rule_context *c);
void rule_csi_volume(const struct rule_context *c);
void rule_fc(const struct rule_context *c);
void rule_flocker(const struct rule_context *c);
void rule_quobyte(const struct rule_context *c);
void rule_flex(const struct rule_context *c);
void rule_flex_volume(const struct rule_context *c);
void rule_azure_disk(const struct rule_context *c);
void rule_csi_source(const struct rule_context *c);
void rule_ephemeral_source(const struct rule_context *c);
void rule_image_source(const struct rule_context *c);
void rule_empty_dir(const struct rule_context *c);
void rule_nfs(const struct rule_context *c);
void rule_local_path(const struct rule_context *c);
void rule_git_repo(const struct rule_context *c);

/* rules_pod_update.c */
void rule_pod_update(const struct rule_context *c);

/* rules_cron.c */
void rule_cron_job(const struct rule_context *c);
void rule_cron_job_spec(const struct rule_context *c);
void rule_cron_zone(const struct rule_context *c);
void rule_cron_template(const struct rule_context *c);

/* rules_job_status.c */
void rule_job_status(const struct rule_context *c);
struct batch_v1_job;
bool rule_job_is(const struct batch_v1_job *j, const char *condition); /* True */
/* "1,3-5" of a Job with so many completions: how many they are; 0 with an error at the member. */
int32_t rule_check_indexes(const struct rule_context *c, const char *member, struct str text,
                           int32_t completions);

/* rules_limits.c */
void rule_limit_range(const struct rule_context *c);
void rule_limit_range_item(const struct rule_context *c);

/* rule_report.c: messages with the path of a member. */
void rule_invalid(const struct rule_context *c, const char *member, struct str value,
                  const char *text);
void rule_forbidden(const struct rule_context *c, const char *member, const char *text);
void rule_required(const struct rule_context *c, const char *member, const char *text);
void rule_check_port(const struct rule_context *c, const char *member,
                     const struct int_or_string *port);
void rule_invalid_number(const struct rule_context *c, const char *member, int64_t value,
                         const char *text);
/* Paths: relative, without "..", and (reserved) not beginning with "..". */
bool rule_has_parent_step(struct str path);
void rule_check_relative(const struct rule_context *c, const struct field_path *at,
                         struct str path);
void rule_check_not_reserved(const struct rule_context *c, const struct field_path *at,
                             struct str path);
/* Forbids those of the members "a|b" that are set; data: a struct of the type at path. */
void rule_forbid_set(const struct rule_context *c, const struct field_path *path, const char *type,
                     const void *data, const char *members, const char *text);
/* rules_discovery.c: an address that an endpoint may have. */
void rule_check_endpoint_ip(const struct rule_context *c, const struct field_path *at,
                            struct str text);
/* A secret that a volume names. */
void rule_check_secret_ref(const struct rule_context *c, const char *member, struct str name);
/* A count of hash collisions never goes down; old NULL: there is none to compare with. */
void rule_check_collisions(const struct rule_context *c, const int32_t *count, const int32_t *old);
/* Required, and fit for a path: kinds and names in references. */
void rule_check_kind(const struct rule_context *c, const char *member, struct str value);
/* "domain/path" */
void rule_check_prefixed_path(const struct rule_context *c, const char *member, struct str value);
void rule_unsupported(const struct rule_context *c, const char *member, struct str value,
                      const char *supported); /* "A|B" */

bool rule_has_text(const struct str *texts, uint32_t n, struct str text);
void rule_invalid_texts(const struct rule_context *c, const char *member, const struct str *texts,
                        uint32_t n, const char *text); /* the list is the value */

/* rules_apps.c */
/* "NN%" or a number that is not negative; `limited`: at most 100%. */
void rule_check_amount(const struct rule_context *c, const struct field_path *at,
                       const struct int_or_string *v, bool limited);
struct core_v1_pod_template_spec;
struct meta_v1_label_selector;
/* Of a map of labels; a broken selector, told of elsewhere, selects everything. */
bool rule_selector_matches(const struct rule_context *c,
                           const struct meta_v1_label_selector *selector, const void *labels);
/* The selector (of c->path) selects the template's labels; printed as it was given. */
void rule_check_template_labels(const struct rule_context *c,
                                const struct meta_v1_label_selector *selector,
                                const struct core_v1_pod_template_spec *t);

/* rules_device_names.c */
void rule_check_driver(const struct rule_context *c, const char *member, struct str name);
/* Subdomains between slashes. */
void rule_check_pool(const struct rule_context *c, const char *member, struct str name);
/* "[domain/]identifier": attributes and capacities of devices */
void rule_check_attribute_name(const struct rule_context *c, const struct field_path *at,
                               struct str name);
void rule_check_uuid(const struct rule_context *c, const char *member, struct str id);
/* Members bindingConditions and bindingFailureConditions, lists of texts. */
void rule_check_bindings(const struct rule_context *c, const void *conditions,
                         const void *failures);

/* rule_conditions.c: a list of meta/v1.Condition, at the member. */
struct meta_v1_condition;
void rule_check_conditions(const struct rule_context *c, const char *member,
                           const struct meta_v1_condition *items, uint32_t n);
