#include "cni/cni_result.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/json_writer.h"
#include "codec/value.h"

static const struct {
    struct str version;
    bool has_family; /* "version": "4" beside each address */
} versions[] = {
    { STR_INIT("0.3.0"), true },
    { STR_INIT("0.3.1"), true },
    { STR_INIT("0.4.0"), true },
    { STR_INIT("1.0.0"), false },
};

static int version_index(struct str version)
{
    for (int i = 0; i < (int)ARRAY_LEN(versions); i++)
        if (str_eq(versions[i].version, version))
            return i;
    return -1;
}

bool cni_version_is_supported(struct str version)
{
    return version_index(version) >= 0;
}

static void print_member(struct buf *b, const char *key, struct str value)
{
    buf_printf(b, "\"%s\":", key);
    json_write_string(b, value);
}

static void print_interface(struct buf *b, const struct cni_interface *i)
{
    buf_append_char(b, '{');
    print_member(b, "name", str_from_cstr(i->name));
    buf_append_char(b, ',');
    print_member(b, "mac", str_from_cstr(i->mac));
    if (i->sandbox[0]) {
        buf_append_char(b, ',');
        print_member(b, "sandbox", str_from_cstr(i->sandbox));
    }
    buf_append_char(b, '}');
}

static void print_address(struct buf *b, const struct cni_address *a, bool has_family)
{
    char text[IP_PREFIX_TEXT_BYTES], gateway[IP_TEXT_BYTES];

    buf_printf(b, "{\"address\":\"%s\"", ip_prefix_print(&a->address, text));
    if (has_family)
        buf_printf(b, ",\"version\":\"%d\"", ip_bits(&a->address.ip) == 32 ? 4 : 6);
    if (a->gateway.family)
        buf_printf(b, ",\"gateway\":\"%s\"", ip_print(&a->gateway, gateway));
    if (a->interface >= 0)
        buf_printf(b, ",\"interface\":%d", a->interface);
    buf_append_char(b, '}');
}

static void print_routes(struct buf *b, const struct cni_result *result)
{
    buf_append_lit(b, "],\"routes\":[");
    for (size_t i = 0; i < result->n_ips; i++) {
        char gateway[IP_TEXT_BYTES];

        buf_printf(b, "%s{\"dst\":\"%s\",\"gw\":\"%s\"}", i ? "," : "",
                   ip_bits(&result->ips[i].address.ip) == 32 ? "0.0.0.0/0" : "::/0",
                   ip_print(&result->ips[i].gateway, gateway));
    }
    buf_append_lit(b, "],\"dns\":{}}");
}

void cni_result_print(struct buf *b, const struct cni_result *result, struct str version)
{
    int known = version_index(version);

    buf_append_char(b, '{');
    print_member(b, "cniVersion", version);
    buf_append_lit(b, ",\"interfaces\":[");
    for (size_t i = 0; i < result->n_interfaces; i++) {
        if (i)
            buf_append_char(b, ',');
        print_interface(b, &result->interfaces[i]);
    }
    buf_append_lit(b, "],\"ips\":[");
    for (size_t i = 0; i < result->n_ips; i++) {
        if (i)
            buf_append_char(b, ',');
        print_address(b, &result->ips[i], known >= 0 && versions[known].has_family);
    }
    print_routes(b, result);
}

static int copy_text(char *ret, size_t size, struct str s)
{
    if (s.len >= size || (s.len && memchr(s.p, 0, s.len)))
        return ERR_TOO_LARGE;
    if (s.len)
        memcpy(ret, s.p, s.len);
    ret[s.len] = '\0';
    return 0;
}

static int read_interface(const struct value *v, struct cni_interface *ret)
{
    if (copy_text(ret->name, sizeof(ret->name), value_get_str(v, STR("name"))) < 0 ||
        copy_text(ret->mac, sizeof(ret->mac), value_get_str(v, STR("mac"))) < 0 ||
        copy_text(ret->sandbox, sizeof(ret->sandbox), value_get_str(v, STR("sandbox"))) < 0)
        return ERR_INVALID;
    return 0;
}

static int read_address(const struct value *v, struct cni_address *ret)
{
    struct str gateway = value_get_str(v, STR("gateway"));
    const struct value *interface = value_get(v, STR("interface"));

    *ret = (struct cni_address){ .interface = -1 };
    if (!ip_prefix_parse(value_get_str(v, STR("address")), &ret->address) ||
        (gateway.len && !ip_parse(gateway, &ret->gateway)))
        return ERR_INVALID;
    if (interface && interface->type == VALUE_INT) {
        if (interface->i < 0 || interface->i > INT16_MAX)
            return ERR_INVALID;
        ret->interface = (int)interface->i;
    }
    return 0;
}

int cni_result_read(const struct value *v, struct cni_result *ret, struct err *err)
{
    const struct value *interfaces = value_get(v, STR("interfaces"));
    const struct value *ips = value_get(v, STR("ips"));
    struct cni_result result = { 0 };

    if (v->type != VALUE_OBJECT)
        return err_set(err, ERR_INVALID, "a CNI result is an object");
    if (interfaces && interfaces->type == VALUE_ARRAY)
        for (uint32_t i = 0; i < interfaces->len; i++) {
            /* Interfaces beyond these (bridges of chains) say nothing about the Pod. */
            if (result.n_interfaces == CNI_RESULT_MAX_INTERFACES)
                break;
            if (read_interface(&interfaces->items[i], &result.interfaces[result.n_interfaces++]) <
                0)
                return err_set(err, ERR_INVALID, "interfaces[%u] of a CNI result", i);
        }
    if (ips && ips->type == VALUE_ARRAY)
        for (uint32_t i = 0; i < ips->len; i++) {
            if (result.n_ips == CNI_RESULT_MAX_IPS)
                return err_set(err, ERR_TOO_LARGE, "a CNI result of %u addresses", ips->len);
            if (read_address(&ips->items[i], &result.ips[result.n_ips++]) < 0)
                return err_set(err, ERR_INVALID, "ips[%u] of a CNI result", i);
        }
    *ret = result;
    return 0;
}

void cni_error_print(struct buf *b, struct str version, unsigned code, const char *message)
{
    buf_append_char(b, '{');
    print_member(b, "cniVersion", version);
    buf_printf(b, ",\"code\":%u,", code);
    print_member(b, "msg", str_from_cstr(message));
    buf_append_char(b, '}');
}
