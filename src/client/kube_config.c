#include "client/kube_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/base64.h"
#include "codec/value.h"
#include "codec/yaml.h"

enum { FILE_MAX_BYTES = 1 << 20 };

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

int kube_config_read_file(struct arena *a, const char *path, struct str *ret, struct err *err)
{
    struct buf b = { 0 };
    FILE *f = fopen(path, "re");
    size_t n = 0;
    int failed;

    if (!f)
        return err_errno(err, errno, "read '%s'", path);
    buf_init_arena(&b, a, 4096);
    while (b.len <= FILE_MAX_BYTES && (n = fread(buf_reserve(&b, 4096), 1, 4096, f)) > 0)
        b.len += n;
    failed = ferror(f) ? errno : 0;
    (void)fclose(f); /* read only */
    if (failed)
        return err_errno(err, failed, "read '%s'", path);
    if (b.len > FILE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "'%s' is larger than %d bytes", path, FILE_MAX_BYTES);
    *ret = buf_str(&b);
    return 0;
}

/* --- the file's lists of named things --- */

static const struct value *find_named(const struct value *config, struct str list,
                                      struct str member, struct str name)
{
    const struct value *items = value_get(config, list);

    if (!items || items->type != VALUE_ARRAY)
        return NULL;
    for (uint32_t i = 0; i < items->len; i++)
        if (str_eq(value_get_str(&items->items[i], STR("name")), name))
            return value_get(&items->items[i], member);
    return NULL;
}

/* "NAME-data" in base64, or the file that "NAME" names. */
static int load_data(struct arena *a, const struct value *v, struct str name, struct str directory,
                     struct str *ret, struct err *err)
{
    struct str data_name = arena_printf(a, "%.*s-data", STR_ARG(name));
    struct str text = value_get_str(v, data_name), file = value_get_str(v, name);
    size_t bad_at;

    if (text.len) {
        if (!base64_decode(a, text, ret, &bad_at))
            return err_set(err, ERR_INVALID, "'%.*s' is no base64 at byte %zu", STR_ARG(data_name),
                           bad_at);
        return 0;
    }
    if (!file.len)
        return 0;
    if (file.p[0] != '/' && directory.len)
        file = arena_printf(a, "%.*s/%.*s", STR_ARG(directory), STR_ARG(file));
    return kube_config_read_file(a, str_cstr(a, file), ret, err);
}

/* "https://host:port/prefix" */
static int parse_server(struct str url, struct kube_config *ret, struct err *err)
{
    struct str rest, host, port = STR_NULL;
    ptrdiff_t at;
    uint64_t n;

    ret->is_tls = str_has_prefix(url, STR("https://"));
    if (!ret->is_tls && !str_has_prefix(url, STR("http://")))
        return err_set(err, ERR_INVALID, "server '%.*s' is no http or https URL", STR_ARG(url));
    rest = str_tail(url, ret->is_tls ? 8 : 7);
    at = str_find(rest, '/');
    if (at >= 0) {
        ret->path = str_tail(rest, (size_t)at);
        if (str_has_suffix(ret->path, STR("/")))
            ret->path.len--;
        rest = str_sub(rest, 0, (size_t)at);
    }
    host = rest;
    at = str_rfind(rest, ':');
    if (str_has_prefix(rest, STR("["))) {
        ptrdiff_t close = str_find(rest, ']');

        if (close < 0)
            return err_set(err, ERR_INVALID, "server '%.*s' has an unclosed bracket", STR_ARG(url));
        host = str_sub(rest, 1, (size_t)close);
        at = at > close ? at : -1;
    } else if (at >= 0) {
        host = str_sub(rest, 0, (size_t)at);
    }
    if (at >= 0)
        port = str_tail(rest, (size_t)at + 1);
    n = ret->is_tls ? 443 : 80;
    if (!host.len || (port.p && (!str_to_u64(port, &n) || n == 0 || n > UINT16_MAX)))
        return err_set(err, ERR_INVALID, "server '%.*s' has no host or a wrong port", STR_ARG(url));
    ret->host = host;
    ret->port = (uint16_t)n;
    return 0;
}

static int load_cluster(struct arena *a, const struct value *v, struct str directory,
                        struct kube_config *ret, struct err *err)
{
    int r = parse_server(value_get_str(v, STR("server")), ret, err);

    if (r < 0)
        return r;
    ret->tls_server_name = value_get_str(v, STR("tls-server-name"));
    return load_data(a, v, STR("certificate-authority"), directory, &ret->ca_pem, err);
}

static int load_user(struct arena *a, const struct value *v, struct str directory,
                     struct kube_config *ret, struct err *err)
{
    struct str token_file = value_get_str(v, STR("tokenFile"));
    int r;

    if (value_get(v, STR("exec")) || value_get(v, STR("auth-provider")))
        return err_set(err, ERR_UNSUPPORTED, "users by plugin are not supported");
    r = load_data(a, v, STR("client-certificate"), directory, &ret->certificate_pem, err);
    if (r >= 0)
        r = load_data(a, v, STR("client-key"), directory, &ret->key_pem, err);
    if (r < 0)
        return r;
    ret->token = value_get_str(v, STR("token"));
    if (ret->token.len || !token_file.len)
        return 0;
    r = kube_config_read_file(a, str_cstr(a, token_file), &ret->token, err);
    ret->token = str_trim(ret->token);
    return r;
}

int kube_config_parse(struct arena *a, struct str yaml, struct str directory,
                      struct kube_config *ret, struct err *err)
{
    struct kube_config config = { .path = STR("") };
    const struct value *context, *cluster, *user;
    struct str json, name;
    struct value v;
    int r = yaml_to_json(a, yaml, false, (size_t)FILE_MAX_BYTES * 4, &json, err);

    if (r >= 0)
        r = value_parse(a, json, &v, NULL, err);
    if (r < 0)
        return r;
    name = value_get_str(&v, STR("current-context"));
    context = find_named(&v, STR("contexts"), STR("context"), name);
    if (!context)
        return err_set(err, ERR_INVALID, "no context '%.*s'", STR_ARG(name));
    cluster =
        find_named(&v, STR("clusters"), STR("cluster"), value_get_str(context, STR("cluster")));
    if (!cluster)
        return err_set(err, ERR_INVALID, "context '%.*s' names no cluster", STR_ARG(name));
    r = load_cluster(a, cluster, directory, &config, err);
    if (r < 0)
        return r;
    user = find_named(&v, STR("users"), STR("user"), value_get_str(context, STR("user")));
    if (user)
        r = load_user(a, user, directory, &config, err);
    if (r < 0)
        return r;
    config.namespace = value_get_str(context, STR("namespace"));
    *ret = config;
    return 0;
}

int kube_config_load(struct arena *a, const char *path, struct kube_config *ret, struct err *err)
{
    struct str name = str_from_cstr(path), yaml;
    ptrdiff_t slash = str_rfind(name, '/');
    int r = kube_config_read_file(a, path, &yaml, err);

    if (r < 0)
        return r;
    r = kube_config_parse(a, yaml, slash < 0 ? STR_NULL : str_sub(name, 0, (size_t)slash), ret,
                          err);
    return r < 0 ? err_wrap(err, "kubeconfig '%s'", path) : 0;
}

int kube_config_in_cluster(struct arena *a, struct kube_config *ret, struct err *err)
{
    struct kube_config config = { .path = STR(""), .is_tls = true };
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    uint64_t n;
    int r;

    if (!host || !port || !str_to_u64(str_from_cstr(port), &n) || n == 0 || n > UINT16_MAX)
        return err_set(err, ERR_NOT_FOUND, "KUBERNETES_SERVICE_HOST and _PORT are not set");
    config.host = str_dup(a, str_from_cstr(host));
    config.port = (uint16_t)n;
    r = kube_config_read_file(a, SERVICE_ACCOUNT_DIR "/token", &config.token, err);
    if (r >= 0)
        r = kube_config_read_file(a, SERVICE_ACCOUNT_DIR "/ca.crt", &config.ca_pem, err);
    if (r >= 0)
        r = kube_config_read_file(a, SERVICE_ACCOUNT_DIR "/namespace", &config.namespace, err);
    if (r < 0)
        return r;
    config.token = str_trim(config.token);
    config.namespace = str_trim(config.namespace);
    *ret = config;
    return 0;
}
