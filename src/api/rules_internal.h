/* The functions that rows of rules_*.c name. Each checks one struct, as its name says. */
#pragma once

#include "api/rules.h"

/* rules_pod_fns.c */
void rule_pod(const struct rule_context *c);
void rule_pod_template(const struct rule_context *c);
void rule_pod_spec(const struct rule_context *c);
void rule_supplemental_groups(const struct rule_context *c);
void rule_sysctl(const struct rule_context *c);
void rule_security_context(const struct rule_context *c);
void rule_seccomp_profile(const struct rule_context *c);
void rule_container(const struct rule_context *c);
void rule_resources(const struct rule_context *c);
void rule_env_var(const struct rule_context *c);
void rule_env_from(const struct rule_context *c);
void rule_volume_mount(const struct rule_context *c);
void rule_http_get(const struct rule_context *c);
void rule_tcp_socket(const struct rule_context *c);
void rule_host_path(const struct rule_context *c);
void rule_key_to_path(const struct rule_context *c);
void rule_toleration(const struct rule_context *c);
void rule_node_requirement(const struct rule_context *c);
void rule_label_requirement(const struct rule_context *c);

/* rules_pod_update.c */
void rule_pod_update(const struct rule_context *c);

/* rules_cron.c */
void rule_cron_job(const struct rule_context *c);
void rule_cron_job_spec(const struct rule_context *c);

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
/* A count of hash collisions never goes down; old NULL: there is none to compare with. */
void rule_check_collisions(const struct rule_context *c, const int32_t *count, const int32_t *old);
/* Required, and fit for a path: kinds and names in references. */
void rule_check_kind(const struct rule_context *c, const char *member, struct str value);
/* "domain/path" */
void rule_check_prefixed_path(const struct rule_context *c, const char *member, struct str value);
void rule_unsupported(const struct rule_context *c, const char *member, struct str value,
                      const char *supported); /* "A|B" */

/* rules_apps.c */
/* "NN%" or a number that is not negative; `limited`: at most 100%. */
void rule_check_amount(const struct rule_context *c, const struct field_path *at,
                       const struct int_or_string *v, bool limited);
struct core_v1_pod_template_spec;
struct meta_v1_label_selector;
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
