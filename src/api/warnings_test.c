#include "api/warnings.h"

#include "api/validation_fixture.h"
#include "base/buf.h"

struct told {
    struct arena *arena;
    struct buf text;
};

static void tell(void *arg, struct str text)
{
    struct told *t = arg;

    buf_append_str(&t->text, text);
    buf_append_char(&t->text, '\n');
}

#define POD(more) "{" META ",'spec':{'containers':[{" CTR "}]" more "}}"

static const struct {
    const char *type;
    const char *json;
    const char *want;
} cases[] = {
    { "core/v1.Pod", POD(""), "" },
    { "core/v1.Pod", POD(",'nodeSelector':{'beta.kubernetes.io/os':'linux'}"),
      "spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "
      "\"kubernetes.io/os\" instead\n" },
    { "core/v1.Pod", POD(",'volumes':[{'name':'v','gitRepo':{'repository':'r'}}]"),
      "spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+\n" },
    { "core/v1.Pod", POD(",'imagePullSecrets':[{},{'name':'a'},{'name':'a'}]"),
      "spec.imagePullSecrets[0].name: invalid empty name \"\"\n"
      "spec.imagePullSecrets[2].name: duplicate name \"a\"\n" },
    { "core/v1.Pod",
      "{" META ",'spec':{'containers':[{" CTR ",'env':[{'name':'A','value':'1'},{'name':'A',"
      "'value':'$(A)2'},{'name':'A','value':'3'}],'resources':{'limits':{'memory':'1500m'}}}]}}",
      "spec.containers[0].resources.limits[memory]: fractional byte value \"1500m\" is invalid, "
      "must be an integer\n"
      "spec.containers[0].resources.requests[memory]: fractional byte value \"1500m\" is invalid, "
      "must be an integer\n"
      "spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped when "
      "using apply\n" },
    { "apps/v1.Deployment",
      "{" META ",'spec':{" SELECTOR ",'template':{'metadata':{'labels':{'a':'b'}},'spec':{"
      "'containers':[{" CTR "}],'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'z',"
      "'whenUnsatisfiable':'DoNotSchedule'}]}}}}",
      "spec.template.spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results "
      "in matching no pod\n" },
    { "core/v1.Service", SPEC("'ports':[{'port':80}],'externalIPs':['1.2.3.4']"),
      "spec.externalIPs is deprecated and may no longer be implemented in some clusters\n" },
    { "core/v1.Service", SPEC("'ports':[{'port':80}],'trafficDistribution':'PreferClose'"),
      "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"\n" },
    { "admissionregistration.k8s.io/v1.MutatingAdmissionPolicyBinding",
      NAMED("x.static.k8s.io", "'policyName':'p'"),
      "metadata.name: names ending with \".static.k8s.io\" are reserved for static manifest-based "
      "configurations and cannot be managed via the API\n" },
    { "core/v1.ConfigMap", NAMED("x.static.k8s.io", ""), "" },
};

Test(warnings, texts)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct told t = { .arena = &a };

        buf_init_arena(&t.text, &a, 64);
        warnings_of(&a, validation_decode(&a, cases[i].type, cases[i].json), (struct object){ 0 },
                    tell, &t);
        cr_expect(str_eq(buf_str(&t.text), str_from_cstr(cases[i].want)), "%s\nhave %.*s",
                  cases[i].json, STR_ARG(buf_str(&t.text)));
    }
}
