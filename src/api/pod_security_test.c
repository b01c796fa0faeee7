/* Each check of the Pod Security Standards with Pods that it lets pass and Pods that it does not,
 * in the versions in which it changed; labels. */
#include "api/pod_security.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"

#define B POD_SECURITY_BASELINE
#define R POD_SECURITY_RESTRICTED
enum { NOW = POD_SECURITY_LATEST };

/* A container's context and a Pod's that pass everything, and more in either. */
#define SAFE(more)                                                                                 \
    "'securityContext':{'allowPrivilegeEscalation':false,'capabilities':{'drop':['ALL']}" more "}"
#define POD(more)                                                                                  \
    "'securityContext':{'runAsNonRoot':true,'seccompProfile':{'type':'RuntimeDefault'}" more "}"
#define ONE(context)  "'containers':[{'name':'c'," context "}]"
#define C(more)       "{'spec':{'containers':[{'name':'c'" more "}]}}"
#define CONTEXT(more) C(",'securityContext':{" more "}")
#define SPEC(more)    "{'spec':{'containers':[{'name':'c'}]," more "}}"
#define PSC(more)     SPEC("'securityContext':{" more "}")
#define META(key, v)                                                                               \
    "{'metadata':{'annotations':{'" key "':'" v "'}},'spec':{'containers':[{'name':'c'}]}}"
#define LIMITED(more)   "{'spec':{" POD("") "," ONE(SAFE(more)) "}}"
#define LIMITED_POD(p)  "{'spec':{" POD(p) "," ONE(SAFE("")) "}}"
#define LIMITED_SPEC(s) "{'spec':{" POD("") "," ONE(SAFE("")) "," s "}}"
#define WINDOWS                                                                                    \
    "{'spec':{'os':{'name':'windows'},'securityContext':{'runAsNonRoot':true},'containers':[{'name':'c'}]}}"
#define APPARMOR "container.apparmor.security.beta.kubernetes.io/c"
#define SECCOMP  "seccomp.security.alpha.kubernetes.io/pod"

static const struct {
    enum pod_security_level level;
    int32_t minor;
    const char *pod;      /* with ' for " */
    const char *findings; /* "": it passes */
} rows[] = {
    { POD_SECURITY_PRIVILEGED, NOW, SPEC("'hostNetwork':true"), "" },
    { B, NOW, C(""), "" },
    { R, NOW, LIMITED(""), "" },
    /* AppArmor */
    { B, NOW, PSC("'appArmorProfile':{'type':'RuntimeDefault'}"), "" },
    { B, NOW, CONTEXT("'appArmorProfile':{'type':'Localhost','localhostProfile':'x'}"), "" },
    { B, NOW, PSC("'appArmorProfile':{'type':'Unconfined'}"),
      "forbidden AppArmor profile (pod must not set AppArmor profile type to 'Unconfined')" },
    { B, NOW, CONTEXT("'appArmorProfile':{'type':'Unconfined'}"),
      "forbidden AppArmor profile (container 'c' must not set AppArmor profile type to 'Unconfined')" },
    { B, 0, META(APPARMOR, "localhost/x"), "" },
    { B, 0, META(APPARMOR, "runtime/default"), "" },
    { B, 0, META(APPARMOR, "unconfined"),
      "forbidden AppArmor profile (annotation must not set AppArmor profile type to '" APPARMOR
      "='unconfined'')" },
    /* capabilities */
    { B, NOW, CONTEXT("'capabilities':{'add':['CHOWN','SYS_CHROOT']}"), "" },
    { B, NOW, CONTEXT("'capabilities':{'add':['SYS_ADMIN','NET_RAW','CHOWN']}"),
      "non-default capabilities (container 'c' must not include 'NET_RAW', 'SYS_ADMIN' in "
      "securityContext.capabilities.add)" },
    { R, NOW, LIMITED(",'runAsUser':7"), "" },
    { R, NOW,
      "{'spec':{" POD("") "," ONE("'securityContext':{'allowPrivilegeEscalation':false}") "}}",
      "unrestricted capabilities (container 'c' must set securityContext.capabilities.drop=['ALL'])" },
    { R, NOW,
      "{'spec':{" POD("") "," ONE(
          "'securityContext':{'allowPrivilegeEscalation':false,'capabilities':{'drop':['ALL'],'add':['NET_BIND_SERVICE']}}") "}}",
      "" },
    { R, NOW,
      "{'spec':{" POD("") "," ONE(
          "'securityContext':{'allowPrivilegeEscalation':false,'capabilities':{'drop':['X'],'add':['CHOWN']}}") "}}",
      "unrestricted capabilities (container 'c' must set securityContext.capabilities.drop=['ALL']; container 'c' must not "
      "include 'CHOWN' in securityContext.capabilities.add)" },
    { R, 21,
      "{'spec':{" POD("") "," ONE(
          "'securityContext':{'allowPrivilegeEscalation':false,'capabilities':{'add':['CHOWN']}}") "}}",
      "" },
    /* the host's */
    { B, NOW, SPEC("'hostNetwork':true,'hostPID':true,'hostIPC':true"),
      "host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)" },
    { B, NOW, SPEC("'hostPID':true"), "host namespaces (hostPID=true)" },
    { B, NOW, SPEC("'volumes':[{'name':'v','nfs':{'server':'s','path':'/'}}]"), "" },
    { B, NOW,
      SPEC("'volumes':[{'name':'v','hostPath':{'path':'/'}},{'name':'w','hostPath':{'path':'/'}}]"),
      "hostPath volumes (volumes 'v', 'w')" },
    { B, NOW, C(",'ports':[{'containerPort':1}]"), "" },
    { B, NOW, C(",'ports':[{'containerPort':1,'hostPort':80},{'containerPort':2,'hostPort':8}]"),
      "hostPort (container 'c' uses hostPorts 8, 80)" },
    { B, NOW,
      "{'spec':{'initContainers':[{'name':'i','ports':[{'hostPort':9}]}],'ephemeralContainers':[{'name':'e','ports':[{'hostPort':9}]}]}}",
      "hostPort (containers 'i', 'e' use hostPort 9)" },
    { B, NOW, C(",'livenessProbe':{'httpGet':{'port':1}}"), "" },
    { B, 33, C(",'livenessProbe':{'httpGet':{'port':1,'host':'h'}}"), "" },
    { B, 34,
      C(",'livenessProbe':{'httpGet':{'port':1,'host':'h'}},'lifecycle':{'preStop':{'tcpSocket':{'port':1,'host':'g'}}}"),
      "probe or lifecycle host (container 'c' uses probe or lifecycle hosts 'g', 'h')" },
    { B, NOW, PSC("'windowsOptions':{'hostProcess':false}"), "" },
    { B, NOW, PSC("'windowsOptions':{'hostProcess':true}"),
      "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)" },
    { B, NOW, CONTEXT("'windowsOptions':{'hostProcess':true}"),
      "hostProcess (container 'c' must not set securityContext.windowsOptions.hostProcess=true)" },
    /* privileges */
    { B, NOW, CONTEXT("'privileged':false"), "" },
    { B, NOW, CONTEXT("'privileged':true"),
      "privileged (container 'c' must not set securityContext.privileged=true)" },
    { B, NOW, CONTEXT("'procMount':'Default'"), "" },
    { B, NOW, CONTEXT("'procMount':'Unmasked'"),
      "procMount (container 'c' must not set securityContext.procMount to 'Unmasked')" },
    { B, NOW, "{'spec':{'hostUsers':false," ONE("'securityContext':{'procMount':'Unmasked'}") "}}",
      "" },
    { B, 34, "{'spec':{'hostUsers':false," ONE("'securityContext':{'procMount':'Unmasked'}") "}}",
      "procMount (container 'c' must not set securityContext.procMount to 'Unmasked')" },
    { R, NOW, "{'spec':{'hostUsers':false," POD("") "," ONE(SAFE(",'procMount':'Unmasked'")) "}}",
      "procMount (container 'c' must not set securityContext.procMount to 'Unmasked')" },
    { R, 8, CONTEXT("'allowPrivilegeEscalation':false"),
      "runAsNonRoot != true (pod or container 'c' must set "
      "securityContext.runAsNonRoot=true)" },
    { R, NOW,
      "{'spec':{" POD("") "," ONE("'securityContext':{'capabilities':{'drop':['ALL']}}") "}}",
      "allowPrivilegeEscalation != false (container 'c' must set securityContext.allowPrivilegeEscalation=false)" },
    { R, 7, PSC("'runAsNonRoot':true"), "" },
    { R, NOW, WINDOWS, "" },
    { R, 24, WINDOWS,
      "allowPrivilegeEscalation != false (container 'c' must set securityContext.allowPrivilegeEscalation=false), "
      "unrestricted capabilities (container 'c' must set securityContext.capabilities.drop=['ALL']), seccompProfile (pod or "
      "container 'c' must set securityContext.seccompProfile.type to 'RuntimeDefault' or 'Localhost')" },
    /* SELinux */
    { B, NOW, PSC("'seLinuxOptions':{'type':'container_engine_t','level':'s0'}"), "" },
    { B, 30, PSC("'seLinuxOptions':{'type':'container_engine_t'}"),
      "seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type 'container_engine_t')" },
    { B, NOW,
      "{'spec':{'securityContext':{'seLinuxOptions':{'user':'u'}}," ONE(
          "'securityContext':{'seLinuxOptions':{'type':'t','role':'r'}}") "}}",
      "seLinuxOptions (pod and container 'c' set forbidden securityContext.seLinuxOptions: type 't'; user may not be set; role may not be set)" },
    /* seccomp */
    { B, NOW, PSC("'seccompProfile':{'type':'Localhost'}"), "" },
    { B, NOW, PSC("'seccompProfile':{'type':'Unconfined'}"),
      "seccompProfile (pod must not set securityContext.seccompProfile.type to 'Unconfined')" },
    { B, 18, PSC("'seccompProfile':{'type':'Unconfined'}"), "" },
    { B, 18, META(SECCOMP, "docker/default"), "" },
    { B, 18, META(SECCOMP, "unconfined"),
      "seccompProfile (forbidden annotation " SECCOMP "='unconfined')" },
    { B, 18, META("container." SECCOMP, "unconfined"), "" },
    { R, NOW, LIMITED(",'seccompProfile':{'type':'Unconfined'}"),
      "seccompProfile (container 'c' must not set securityContext.seccompProfile.type to 'Unconfined')" },
    { R, NOW, "{'spec':{'securityContext':{'runAsNonRoot':true}," ONE(SAFE("")) "}}",
      "seccompProfile (pod or container 'c' must set securityContext.seccompProfile.type to 'RuntimeDefault' or 'Localhost')" },
    { R, NOW,
      "{'spec':{'securityContext':{'runAsNonRoot':true}," ONE(
          SAFE(",'seccompProfile':{'type':'Localhost'}")) "}}",
      "" },
    { R, 18, "{'spec':{'securityContext':{'runAsNonRoot':true}," ONE(SAFE("")) "}}", "" },
    /* sysctls */
    { B, NOW,
      PSC("'sysctls':[{'name':'net.ipv4.tcp_rmem','value':'1'},{'name':'kernel.shm_rmid_forced','value':'1'}]"),
      "" },
    { B, 31,
      PSC("'sysctls':[{'name':'net.ipv4.tcp_rmem','value':'1'},{'name':'kernel.msgmax','value':'1'}]"),
      "forbidden sysctls (net.ipv4.tcp_rmem, kernel.msgmax)" },
    { B, 28, PSC("'sysctls':[{'name':'net.ipv4.tcp_fin_timeout','value':'1'}]"),
      "forbidden sysctls (net.ipv4.tcp_fin_timeout)" },
    { B, 26, PSC("'sysctls':[{'name':'net.ipv4.ip_local_reserved_ports','value':'1'}]"),
      "forbidden sysctls (net.ipv4.ip_local_reserved_ports)" },
    /* volumes */
    { R, NOW,
      LIMITED_SPEC(
          "'volumes':[{'name':'a','emptyDir':{}},{'name':'b','secret':{}},{'name':'d','image':{}}]"),
      "" },
    { R, NOW,
      LIMITED_SPEC(
          "'volumes':[{'name':'a','hostPath':{'path':'/'}},{'name':'b','nfs':{'server':'s','path':'/'}}]"),
      "restricted volume types (volumes 'a', 'b' use restricted volume types 'hostPath', 'nfs')" },
    { R, NOW, LIMITED_SPEC("'volumes':[{'name':'a'}]"),
      "restricted volume types (volume 'a' uses restricted volume type 'unknown')" },
    /* users */
    { R, NOW,
      "{'spec':{'securityContext':{'runAsNonRoot':false,'seccompProfile':{'type':'Localhost'}}," ONE(
          SAFE(",'runAsNonRoot':true")) "}}",
      "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)" },
    { R, NOW, LIMITED(",'runAsNonRoot':false"),
      "runAsNonRoot != true (container 'c' must not set securityContext.runAsNonRoot=false)" },
    { R, NOW,
      "{'spec':{'hostUsers':false,'securityContext':{'runAsUser':0,'seccompProfile':{'type':'Localhost'}}," ONE(
          SAFE("")) "}}",
      "" },
    { R, NOW, LIMITED_POD(",'runAsUser':1"), "" },
    { R, NOW, LIMITED_POD(",'runAsUser':0"), "runAsUser=0 (pod must not set runAsUser=0)" },
    { R, NOW, LIMITED(",'runAsUser':0"), "runAsUser=0 (container 'c' must not set runAsUser=0)" },
    { R, 22, LIMITED(",'runAsUser':0"), "" },
};

static struct str with_quotes(struct arena *a, const char *text)
{
    struct str s = str_dup(a, str_from_cstr(text));

    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == '\'')
            ((char *)(uintptr_t)s.p)[i] = '"';
    return s;
}

Test(pod_security, checks)
{
    const struct schema_type *type =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("Pod"));

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct pod_security_finding found[POD_SECURITY_FINDINGS_MAX];
        struct str expected = with_quotes(&a, rows[i].findings), got;
        const struct core_v1_pod *pod;
        struct object o;
        struct err err;
        size_t n;

        cr_assert_geq(object_json_decode(&a, &schema_builtin, type, with_quotes(&a, rows[i].pod),
                                         &o, NULL, &err),
                      0, "row %zu: %s", i, err.text);
        pod = o.data;
        n = pod_security_check(&a, (struct pod_security_standard){ rows[i].level, rows[i].minor },
                               &pod->metadata, &pod->spec, found);
        got = pod_security_join(&a, found, n, true);
        cr_expect(str_eq(got, expected), "row %zu, %s:\n%.*s", i, rows[i].pod, STR_ARG(got));
        cr_expect_eq(n == 0, expected.len == 0);
    }
}

/* --- labels --- */

static bool label_of(void *arg, struct str key, struct str *ret_value)
{
    static const struct str prefix = STR_INIT("pod-security.kubernetes.io/");
    struct str rest = str_from_cstr(arg), pair, name, value;

    while (str_next(&rest, ' ', &pair))
        if (str_cut(pair, '=', &name, &value) && str_eq(str_tail(key, prefix.len), name)) {
            *ret_value = value;
            return true;
        }
    return false;
}

Test(pod_security, labels)
{
    static const struct {
        const char *labels, *policy, *errors;
    } cases[] = {
        { "", "privileged:latest privileged:latest privileged:latest", "" },
        { "enforce=baseline", "baseline:latest privileged:latest baseline:latest", "" },
        { "enforce=restricted enforce-version=v1.24",
          "restricted:v1.24 privileged:latest restricted:v1.24", "" },
        { "enforce=restricted enforce-version=v1.24 warn-version=v1.0 audit=baseline",
          "restricted:v1.24 baseline:latest restricted:v1.0", "" },
        { "enforce=restricted warn=privileged",
          "restricted:latest privileged:latest privileged:latest", "" },
        { "enforce=baseline warn=restricted audit-version=latest",
          "baseline:latest privileged:latest restricted:latest", "" },
        { "enforce=x", "restricted:latest privileged:latest privileged:latest",
          "metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \"x\": must be one "
          "of privileged, baseline, restricted" },
        { "audit=x warn=x", "privileged:latest privileged:latest privileged:latest",
          "[metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: \"x\": must be one "
          "of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn]: "
          "Invalid value: \"x\": must be one of privileged, baseline, restricted]" },
        { "enforce-version=v1.01", "privileged:latest privileged:latest privileged:latest",
          "metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: \"v1.01\": "
          "must be \"latest\" or \"v1.x\"" },
    };
    static const char *const bad[] = { "v2.1",  "1.2",   "v1.",    "v1.-1",
                                       "v1.+1", "v1.1x", "Latest", "v1.99999999999999999999" };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct pod_security_policy p;
        struct field_errors errs;
        struct str got;

        field_errors_init(&errs, &a);
        pod_security_policy_of(label_of, (void *)(uintptr_t)cases[i].labels, &errs, &p);
        got = arena_printf(&a, "%.*s %.*s %.*s", STR_ARG(pod_security_print(&a, p.enforce)),
                           STR_ARG(pod_security_print(&a, p.audit)),
                           STR_ARG(pod_security_print(&a, p.warn)));
        cr_expect(str_eq(got, str_from_cstr(cases[i].policy)), "%s: %.*s", cases[i].labels,
                  STR_ARG(got));
        got = errs.len ? field_errors_print(&a, &errs) : STR("");
        cr_expect(str_eq(got, str_from_cstr(cases[i].errors)), "%s: %.*s", cases[i].labels,
                  STR_ARG(got));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct str text = arena_printf(&a, "warn-version=%s", bad[i]);
        struct pod_security_policy p;
        struct field_errors errs;

        field_errors_init(&errs, &a);
        pod_security_policy_of(label_of, (void *)(uintptr_t)text.p, &errs, &p);
        cr_expect_eq(errs.len, 1, "%s", bad[i]);
        cr_expect_eq(p.warn.minor, POD_SECURITY_LATEST);
    }
}
