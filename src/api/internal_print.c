#include "api/internal_print.h"

#include "api/core_v1.h"
#include "api/object.h"
#include "api/object_json.h"
#include "api/rules.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/value.h"

/* Members whose names are not those of the wire with a capital letter; NULL: of every type. */
static const struct {
    const char *type;
    const char *names; /* "wire:Name ..." */
} renames[] = {
    { "RBDVolumeSource", "monitors:CephMonitors image:RBDImage pool:RBDPool user:RadosUser" },
    { "RBDPersistentVolumeSource",
      "monitors:CephMonitors image:RBDImage pool:RBDPool user:RadosUser" },
    { "GlusterfsVolumeSource", "endpoints:EndpointsName" },
    { "GlusterfsPersistentVolumeSource", "endpoints:EndpointsName" },
    { "ContainerStatus", "lastState:LastTerminationState" },
    { "DeviceAttribute", "int:IntValue bool:BoolValue string:StringValue version:VersionValue "
                         "ints:IntValues bools:BoolValues strings:StringValues "
                         "versions:VersionValues" },
    { NULL,
      "apiGroup:APIGroup apiGroups:APIGroups apiVersion:APIVersion apiVersions:APIVersions "
      "awsElasticBlockStore:AWSElasticBlockStore caBundle:CABundle cel:CEL cephfs:CephFS "
      "chapAuthDiscovery:DiscoveryCHAPAuth chapAuthSession:SessionCHAPAuth cidr:CIDR cidrs:CIDRs "
      "csi:CSI diskURI:DataDiskURI dnsConfig:DNSConfig dnsPolicy:DNSPolicy fc:FC fsGroup:FSGroup "
      "fsGroupChangePolicy:FSGroupChangePolicy fsGroupPolicy:FSGroupPolicy fsType:FSType "
      "gcePersistentDisk:GCEPersistentDisk gid:GID gmsaCredentialSpec:GMSACredentialSpec "
      "gmsaCredentialSpecName:GMSACredentialSpecName grpc:GRPC http:HTTP httpGet:HTTPGet "
      "httpHeaders:HTTPHeaders ip:IP ipBlock:IPBlock ipFamilies:IPFamilies "
      "ipFamilyPolicy:IPFamilyPolicy ipMode:IPMode ips:IPs iqn:IQN iscsi:ISCSI "
      "iscsiInterface:ISCSIInterface jsonPatch:JSONPatch nfs:NFS os:OS osImage:OSImage "
      "pdName:PDName qosClass:QOSClass rbd:RBD reportingComponent:ReportingController "
      "seLinuxChangePolicy:SELinuxChangePolicy seLinuxMount:SELinuxMount "
      "seLinuxOptions:SELinuxOptions sslEnabled:SSLEnabled storageos:StorageOS "
      "tcpSocket:TCPSocket tls:TLS ttlSecondsAfterFinished:TTLSecondsAfterFinished tty:TTY "
      "uid:UID url:URL wwids:WWIDs" },
};

/* Types whose members have another order, or others: "Name=literal" is one that the wire lacks. */
static const struct {
    const char *type;
    const char *members; /* of the wire */
} orders[] = {
    { "PodSpec",
      "volumes initContainers containers ephemeralContainers restartPolicy "
      "terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector "
      "serviceAccountName automountServiceAccountToken nodeName securityContext imagePullSecrets "
      "hostname subdomain setHostnameAsFQDN affinity schedulerName tolerations hostAliases "
      "priorityClassName priority preemptionPolicy dnsConfig readinessGates runtimeClassName "
      "overhead enableServiceLinks topologySpreadConstraints os schedulingGates resourceClaims "
      "resources hostnameOverride schedulingGroup" },
    { "ServiceSpec",
      "type ports selector clusterIP clusterIPs ipFamilies ipFamilyPolicy externalName externalIPs "
      "loadBalancerIP sessionAffinity sessionAffinityConfig loadBalancerSourceRanges "
      "externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses "
      "allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy "
      "trafficDistribution" },
    { "VolumeSource",
      "hostPath emptyDir gcePersistentDisk awsElasticBlockStore gitRepo secret nfs iscsi glusterfs "
      "persistentVolumeClaim rbd quobyte flexVolume cinder cephfs flocker downwardAPI fc azureFile "
      "configMap vsphereVolume azureDisk photonPersistentDisk projected portworxVolume scaleIO "
      "storageos csi ephemeral image" },
    { "PersistentVolumeSource",
      "gcePersistentDisk awsElasticBlockStore hostPath glusterfs nfs rbd quobyte iscsi flexVolume "
      "cinder cephfs fc flocker azureFile vsphereVolume azureDisk photonPersistentDisk "
      "portworxVolume scaleIO local storageos csi" },
    { "DeploymentSpec", "replicas selector template strategy minReadySeconds revisionHistoryLimit "
                        "paused RollbackTo=null progressDeadlineSeconds" },
    { "DaemonSetSpec", "selector template updateStrategy minReadySeconds TemplateGeneration=0 "
                       "revisionHistoryLimit" },
    { "JobSpec", "parallelism completions podFailurePolicy successPolicy activeDeadlineSeconds "
                 "backoffLimit backoffLimitPerIndex maxFailedIndexes selector manualSelector "
                 "template ttlSecondsAfterFinished completionMode suspend podReplacementPolicy "
                 "managedBy" },
    { "ContainerResourceMetricSource", "name container target" },
    { "PodSecurityContext",
      "seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups "
      "supplementalGroupsPolicy fsGroup fsGroupChangePolicy sysctls seccompProfile "
      "appArmorProfile seLinuxChangePolicy" },
};

struct printer {
    struct buf *b;
    const struct core_v1_pod_spec *spec; /* around a security context */
    struct arena *arena;
};

static void print_struct(struct printer *p, const struct schema_type *t, const void *data,
                         bool braces);

static void print_text(struct buf *b, struct str s)
{
    struct value v = value_string(s.p ? s : STR(""));

    value_print(b, &v);
}

static bool find_name(const char *list, struct str wire, struct str *ret)
{
    struct str rest = str_from_cstr(list), item, name;

    while (str_next(&rest, ' ', &item))
        if (str_cut(item, ':', &item, &name) && str_eq(item, wire)) {
            *ret = name;
            return true;
        }
    return false;
}

static void print_name(struct printer *p, const struct schema_type *t, struct str wire)
{
    struct str type = schema_str(&schema_builtin, t->name), name;
    char first;

    for (size_t i = 0; i < ARRAY_LEN(renames); i++)
        if ((!renames[i].type || str_eq(type, str_from_cstr(renames[i].type))) &&
            find_name(renames[i].names, wire, &name)) {
            buf_printf(p->b, "\"%.*s\":", STR_ARG(name));
            return;
        }
    first = (char)(wire.p[0] >= 'a' && wire.p[0] <= 'z' ? wire.p[0] - 32 : wire.p[0]);
    buf_printf(p->b, "\"%c%.*s\":", first, STR_ARG(str_tail(wire, 1)));
}

static bool is_text(uint8_t kind)
{
    return kind == SCHEMA_KIND_STRING || kind == SCHEMA_KIND_QUANTITY;
}

static void print_element(struct printer *p, const struct schema_field *f, void *at)
{
    struct schema_field one = *f;

    if (f->kind == SCHEMA_KIND_STRUCT) {
        print_struct(p, &schema_builtin.types[f->type], at, true);
    } else if (is_text(f->kind)) {
        print_text(p->b, *(struct str *)at);
    } else {
        one.shape = SCHEMA_ONE;
        buf_append_str(p->b, rule_print_value(p->arena, &one, at));
    }
}

static bool is_unset_choice(const struct schema_field *f, const void *at)
{
    const struct int_or_string *v = at;

    return f->kind == SCHEMA_KIND_INT_OR_STRING && v->type == INT_OR_STRING_UNSET;
}

static void print_field(struct printer *p, const struct schema_field *f, const void *at)
{
    void *place = (void *)(uintptr_t)at; /* read only */
    bool list = f->shape == SCHEMA_LIST, map = f->shape == SCHEMA_MAP;
    struct schema_walk_items items;

    if (!list && !map && is_unset_choice(f, at)) {
        buf_append_str(p->b, f->shape == SCHEMA_POINTER ? STR("null") : STR("0"));
        return;
    }
    if (f->shape == SCHEMA_POINTER && is_text(f->kind)) {
        const struct str *s = at;

        if (s->p)
            print_text(p->b, *s);
        else
            buf_append_lit(p->b, "null");
        return;
    }
    if (!list && !map && f->shape != SCHEMA_POINTER) {
        print_element(p, f, place);
        return;
    }
    if (f->shape == SCHEMA_POINTER && f->kind != SCHEMA_KIND_STRUCT) {
        buf_append_str(p->b, rule_print_value(p->arena, f, at));
        return;
    }
    items = schema_walk_items(&schema_builtin, f, place);
    if (!items.first) {
        buf_append_lit(p->b, "null");
        return;
    }
    if (list || map)
        buf_append_char(p->b, list ? '[' : '{');
    for (uint32_t i = 0; i < items.len; i++) {
        char *item = items.first + i * items.stride;

        if (i)
            buf_append_char(p->b, ',');
        if (map) {
            print_text(p->b, *(struct str *)(void *)(item - items.value_offset));
            buf_append_char(p->b, ':');
        }
        print_element(p, f, item);
    }
    if (list || map)
        buf_append_char(p->b, list ? ']' : '}');
}

/* Those that upstream's types share with the wire. */
static void print_wire(struct printer *p, const struct schema_type *t, const void *data,
                       bool braces)
{
    struct object o = { .schema = &schema_builtin,
                        .type = t,
                        .data = (void *)(uintptr_t)data }; /* read only */
    struct buf b;
    struct str json;

    buf_init_arena(&b, p->arena, 128);
    object_json_encode(&b, o, NULL);
    json = buf_str(&b);
    buf_append_str(p->b, braces ? json : str_sub(json, 1, json.len - 1));
}

static bool is_wire_type(const struct schema_type *t)
{
    return str_eq(schema_str(&schema_builtin, t->group), STR("meta.k8s.io"));
}

/* One member, with what separates it from those before. */
static void print_member(struct printer *p, const struct schema_type *t,
                         const struct schema_field *f, const void *data, size_t start)
{
    const void *at = (const char *)data + f->offset;
    const struct schema_type *type =
        f->kind == SCHEMA_KIND_STRUCT ? &schema_builtin.types[f->type] : NULL;
    size_t before = p->b->len;

    if (p->b->len > start)
        buf_append_char(p->b, ',');
    if (type && (f->shape == SCHEMA_INLINE ||
                 (f->shape == SCHEMA_ONE &&
                  str_eq(schema_str(&schema_builtin, type->name), STR("ObjectMeta"))))) {
        size_t at_len = p->b->len;

        print_struct(p, type, at, false);
        if (p->b->len == at_len)
            p->b->len = before;
        return;
    }
    print_name(p, t, schema_field_name(&schema_builtin, f));
    print_field(p, f, at);
}

/* What upstream keeps in the security context, and the wire in the spec. */
static void print_host_fields(struct printer *p)
{
    const struct core_v1_pod_spec *s = p->spec;
    const bool *share = s->share_process_namespace, *users = s->host_users;

    buf_printf(p->b,
               "\"HostNetwork\":%s,\"HostPID\":%s,\"HostIPC\":%s,\"ShareProcessNamespace\":%s,"
               "\"HostUsers\":%s",
               s->host_network ? "true" : "false", s->host_pid ? "true" : "false",
               s->host_ipc ? "true" : "false",
               !share   ? "null"
               : *share ? "true"
                        : "false",
               !users   ? "null"
               : *users ? "true"
                        : "false");
}

static void print_ordered(struct printer *p, const struct schema_type *t, const void *data,
                          const char *members, size_t start)
{
    struct str rest = str_from_cstr(members), name, literal;

    while (str_next(&rest, ' ', &name)) {
        uint32_t base = 0;
        const struct schema_field *f;

        if (str_cut(name, '=', &name, &literal)) {
            buf_printf(p->b, "%s\"%.*s\":%.*s", p->b->len > start ? "," : "", STR_ARG(name),
                       STR_ARG(literal));
            continue;
        }
        f = schema_find_member(&schema_builtin, t, name, &base);
        if (f)
            print_member(p, t, f, (const char *)data + base, start);
    }
}

static void print_struct(struct printer *p, const struct schema_type *t, const void *data,
                         bool braces)
{
    struct str name = schema_str(&schema_builtin, t->name);
    const char *members = NULL;
    size_t start;

    if (is_wire_type(t)) {
        print_wire(p, t, data, braces);
        return;
    }
    if (str_eq(name, STR("PodSpec")))
        p->spec = data;
    if (braces)
        buf_append_char(p->b, '{');
    start = p->b->len;
    if (str_eq(name, STR("PodSecurityContext")) && p->spec)
        print_host_fields(p);
    for (size_t i = 0; i < ARRAY_LEN(orders); i++)
        if (str_eq(name, str_from_cstr(orders[i].type)))
            members = orders[i].members;
    if (members)
        print_ordered(p, t, data, members, start);
    for (uint16_t i = 0; !members && i < t->n_fields; i++)
        print_member(p, t, &schema_builtin.fields[t->first_field + i], data, start);
    if (braces)
        buf_append_char(p->b, '}');
}

struct str internal_print(struct arena *a, const struct schema_type *t, const void *data)
{
    struct buf b;
    struct printer p = { .b = &b, .arena = a };

    buf_init_arena(&b, a, 256);
    print_struct(&p, t, data, true);
    return buf_str(&b);
}

struct str internal_print_field(struct arena *a, const struct schema_field *f, const void *at)
{
    struct buf b;
    struct printer p = { .b = &b, .arena = a };

    buf_init_arena(&b, a, 256);
    print_field(&p, f, at);
    return buf_str(&b);
}
