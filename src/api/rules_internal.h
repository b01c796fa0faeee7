/* The functions that rows of rules_*.c name. Each checks one struct, as its name says. */
#pragma once

#include "api/rules.h"

/* rules_pod_fns.c */
void rule_pod(const struct rule_context *c);
void rule_pod_template(const struct rule_context *c);
void rule_pod_spec(const struct rule_context *c);
void rule_supplemental_groups(const struct rule_context *c);
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

/* Messages with the path of a member. */
void rule_invalid(const struct rule_context *c, const char *member, struct str value,
                  const char *text);
void rule_forbidden(const struct rule_context *c, const char *member, const char *text);
void rule_required(const struct rule_context *c, const char *member, const char *text);
void rule_check_port(const struct rule_context *c, const char *member,
                     const struct int_or_string *port);
