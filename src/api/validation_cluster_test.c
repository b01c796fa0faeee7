#include "api/validation_fixture.h"

#define NEGATIVE  "Invalid value: -1: must be greater than or equal to 0"
#define PDB       "policy/v1.PodDisruptionBudget"
#define PC        "scheduling.k8s.io/v1.PriorityClass"
#define RC        "node.k8s.io/v1.RuntimeClass"
#define LEASE     "coordination.k8s.io/v1.Lease"
#define QUOTA     "core/v1.ResourceQuota"
#define LIMITS(l) SPEC("'limits':[" l "]")
#define SCOPES(s) SPEC("'scopeSelector':{'matchExpressions':[{" s "}]}")

static const struct validation_case cluster[] = {
    { PDB, NULL, SPEC("'minAvailable':'50%'"), NULL },
    { PDB, NULL, SPEC("'minAvailable':1,'maxUnavailable':1"),
      "spec: Invalid value: {\"MinAvailable\":1,\"Selector\":null,\"MaxUnavailable\":1,\"UnhealthyPodEvictionPolicy\":null}: minAvailable and "
      "maxUnavailable cannot be both set" },
    { PDB, NULL, SPEC("'minAvailable':-1"), "spec.minAvailable: " NEGATIVE },
    { PDB, NULL, SPEC("'maxUnavailable':'101%'"),
      "spec.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%" },
    { PDB, NULL, SPEC("'unhealthyPodEvictionPolicy':'x'"),
      "spec.unhealthyPodEvictionPolicy: Unsupported value: \"x\": supported values: "
      "\"AlwaysAllow\", \"IfHealthyBudget\"" },
    { PDB, WITH_STATUS(""),
      WITH_STATUS("'disruptionsAllowed':-1,'currentHealthy':0,'desiredHealthy':0,'expectedPods':0"),
      "status.disruptionsAllowed: " NEGATIVE, true },
    { PC, NULL, TOP("'value':5"), NULL },
    { PC, NULL, TOP("'value':1000000001"),
      "value: Forbidden: maximum allowed value of a user defined priority is 1000000000" },
    { PC, NULL, "{'metadata':{'name':'system-x','namespace':'d'},'value':5}",
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system "
      "use only. error: system-x is not a known system priority class" },
    { PC, NULL, "{'metadata':{'name':'system-node-critical','namespace':'d'},'value':2000001000}",
      NULL },
    { PC, NULL, TOP("'value':5,'preemptionPolicy':'x'"),
      "preemptionPolicy: Unsupported value: \"x\": supported values: \"PreemptLowerPriority\", "
      "\"Never\"" },
    { PC, TOP("'value':5"), TOP("'value':6"),
      "value: Forbidden: may not be changed in an update." },
    { PC, TOP("'value':5"), TOP("'value':5,'preemptionPolicy':'Never'"),
      "preemptionPolicy: Invalid value: \"Never\": field is immutable" },
    { RC, NULL, TOP("'handler':'runc','overhead':{'podFixed':{'cpu':'1m'}}"), NULL },
    { RC, NULL, "{" META "}", "handler: Required value" },
    { RC, NULL, TOP("'handler':'A'"),
      "handler: Invalid value: \"A\": a lowercase RFC 1123 label must..." },
    { RC, TOP("'handler':'a'"), TOP("'handler':'b'"),
      "handler: Invalid value: \"b\": field is immutable" },
    { RC, NULL, TOP("'handler':'a','scheduling':{'tolerations':[{'key':'k'},{'key':'k'}]}"),
      "scheduling.tolerations[1]: Duplicate value: {\"Key\":\"k\",\"Operator\":\"\",\"Value\":\"\",\"Effect\":\"\",\"TolerationSeconds\":null}" },
    { LEASE, NULL, SPEC("'leaseDurationSeconds':5,'holderIdentity':'me'"), NULL },
    { LEASE, NULL, SPEC("'leaseDurationSeconds':0,'leaseTransitions':-1,'preferredHolder':'x'"),
      "[spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0, spec.leaseTransitions: "
      "Invalid value: -1: must be greater than or equal to 0, spec.preferredHolder: Forbidden: may "
      "only be specified if `strategy` is defined]" },
    { LEASE, NULL, SPEC("'strategy':'x'"),
      "spec.strategy.strategy: Unsupported value: \"x\": supported values: "
      "\"OldestEmulationVersion\"" },
    { QUOTA, NULL, SPEC("'hard':{'pods':'3','cpu':'100m','count/jobs.batch':'5'}"), NULL },
    { QUOTA, NULL, SPEC("'hard':{'x':'1','pods':'1500m','memory':'-1'}"),
      "[spec.hard[memory]: Invalid value: \"-1\": must be greater than or equal to 0, "
      "spec.hard[pods]: Invalid value: \"1500m\": must be an integer, spec.hard[x]: Invalid value: "
      "\"x\": must be a standard resource type or fully qualified, spec.hard[x]: Invalid value: "
      "\"x\": must be a standard resource for quota]" },
    { QUOTA, NULL, SPEC("'scopes':['x']"),
      "spec.scopes: Invalid value: [\"x\"]: unsupported scope" },
    { QUOTA, NULL, SPEC("'hard':{'cpu':'1'},'scopes':['BestEffort']"),
      "spec.scopes: Invalid value: [\"BestEffort\"]: unsupported scope applied to resource" },
    { QUOTA, NULL, SPEC("'scopes':['BestEffort','NotBestEffort']"),
      "spec.scopes: Invalid value: [\"BestEffort\",\"NotBestEffort\"]: conflicting scopes" },
    { QUOTA, SPEC("'scopes':['BestEffort']"), SPEC("'scopes':['Terminating']"),
      "spec.scopes: Invalid value: [\"Terminating\"]: field is immutable" },
    { QUOTA, SPEC("'scopes':['BestEffort']"), SPEC("'hard':{'pods':'1'},'scopes':['BestEffort']"),
      NULL },
    { QUOTA, NULL, SCOPES("'scopeName':'PriorityClass','operator':'In','values':['a']"), NULL },
    { QUOTA, NULL, SCOPES("'scopeName':'PriorityClass','operator':'In'"),
      "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when "
      "`operator` is 'In' or 'NotIn' for scope selector" },
    { QUOTA, NULL, SCOPES("'scopeName':'x','operator':'y'"),
      "[spec.scopeSelector.matchExpressions.scopeName: Invalid value: \"x\": unsupported scope, "
      "spec.scopeSelector.matchExpressions.operator: Invalid value: \"y\": not a valid selector "
      "operator]" },
    { QUOTA, WITH_STATUS(""), WITH_STATUS("'used':{'x':'1'}"),
      "[status.used[x]: Invalid value: \"x\": must be a standard resource type or fully qualified, "
      "status.used[x]: Invalid value: \"x\": must be a standard resource for quota]",
      true },
    { "core/v1.LimitRange", NULL,
      LIMITS("{'type':'Container','max':{'cpu':'2'},'min':{'cpu':'1'},'default':{'cpu':'2'},"
             "'defaultRequest':{'cpu':'1'}}"),
      NULL },
    { "core/v1.LimitRange", NULL, LIMITS("{'type':'Pod'},{'type':'Pod'}"),
      "spec.limits[1].type: Duplicate value: \"Pod\"" },
    { "core/v1.LimitRange", NULL, LIMITS("{'type':'x'}"),
      "spec.limits[0].type: Invalid value: \"x\": must be a standard limit type or fully "
      "qualified" },
    { "core/v1.LimitRange", NULL, LIMITS("{'type':'Pod','defaultRequest':{'cpu':'1'}}"),
      "spec.limits[0].defaultRequest: Forbidden: may not be specified when `type` is 'Pod'" },
    { "core/v1.LimitRange", NULL, LIMITS("{'type':'PersistentVolumeClaim'}"),
      "spec.limits[0].limits: Required value: either minimum or maximum storage value is required, "
      "but neither was provided" },
    { "core/v1.LimitRange", NULL,
      LIMITS("{'type':'Container','min':{'cpu':'2'},'max':{'cpu':'1'}}"),
      "[spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 1, "
      "spec.limits[0].defaultRequest[cpu]: Invalid value: \"1\": min value 2 is greater than default "
      "request value 1, spec.limits[0].default[cpu]: Invalid value: \"2\": min value 2 is greater "
      "than default value 1]" },
    { "core/v1.LimitRange", NULL,
      LIMITS("{'type':'Container','max':{'foo':'1'},'maxLimitRequestRatio':{'cpu':'500m'}}"),
      "[spec.limits[0].max[foo]: Invalid value: \"foo\": must be a standard resource type or fully "
      "qualified..." },
};

VALIDATION_TABLE(validation_cluster, small_kinds, cluster)

#define D         "discovery.k8s.io/v1.EndpointSlice"
#define SLICE(e)  TOP("'addressType':'IPv4','endpoints':[" e "]")
#define SUBSET(s) TOP("'subsets':[{" s "}]")
#define EVENT     "core/v1.Event"
#define NEW       "events.k8s.io/v1.Event"
#define WHEN      "'eventTime':'2026-01-01T00:00:00.000000Z'"
#define GOOD                                                                                       \
    WHEN ",'reportingController':'c','reportingInstance':'i','action':'a','reason':'r',"           \
         "'type':'Normal','regarding':{'namespace':'d'}"

static const struct validation_case discovery[] = {
    { D, NULL, SLICE("{'addresses':['10.0.0.1']}"), NULL },
    { D, NULL, "{" META "}", "addressType: Required value" },
    { D, NULL, TOP("'addressType':'x'"),
      "addressType: Unsupported value: \"x\": supported values: \"FQDN\", \"IPv4\", \"IPv6\"" },
    { D, NULL, SLICE("{'addresses':[]}"),
      "endpoints[0].addresses: Required value: must contain at least 1 address" },
    { D, NULL, SLICE("{'addresses':['x']}"),
      "endpoints[0].addresses[0]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 "
      "or 2001:db8::ffff)" },
    { D, NULL, SLICE("{'addresses':['fd00::1']}"),
      "endpoints[0].addresses: Invalid value: \"fd00::1\": must be an IPv4 address" },
    { D, NULL, SLICE("{'addresses':['127.0.0.1','0.0.0.0','169.254.1.1','224.0.0.1']}"),
      "[endpoints[0].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range "
      "(127.0.0.0/8, ::1/128), endpoints[0].addresses[1]: Invalid value: \"0.0.0.0\": may not be "
      "unspecified (0.0.0.0), endpoints[0].addresses[2]: Invalid value: \"169.254.1.1\": may not be "
      "in the link-local range (169.254.0.0/16, fe80::/10), endpoints[0].addresses[3]: Invalid "
      "value: \"224.0.0.1\": may not be in the link-local multicast range (224.0.0.0/24, "
      "ff02::/10)]" },
    { D, NULL, TOP("'addressType':'FQDN','endpoints':[{'addresses':['a.b','x']}]"),
      "endpoints[0].addresses[1]: Invalid value: \"x\": should be a domain with at least two "
      "segments separated by dots" },
    { D, NULL, SLICE("{'addresses':['10.0.0.1'],'hostname':'A','nodeName':'B'}"),
      "[endpoints[0].nodeName: Invalid value: \"B\": a lowercase..." },
    { D, NULL, SLICE("{'addresses':['10.0.0.1'],'hints':{'forZones':[{'name':'z'},{'name':'z'}]}}"),
      "endpoints[0].hints.forZones[1].name: Duplicate value: \"z\"" },
    { D, NULL, TOP("'addressType':'IPv4','endpoints':[],'ports':[{'port':1},{'port':2}]"),
      "ports[1].name: Duplicate value: \"\"" },
    { D, NULL, TOP("'addressType':'IPv4','endpoints':[],'ports':[{'name':'A','protocol':'x'}]"),
      "[ports[0].name: Invalid value: \"A\": a lowercase..." },
    { D, NULL,
      TOP("'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1'],'hostname':'h','nodeName':'n'}],'ports':[{'port':1,'appProtocol':'a.b/c'}]"),
      NULL },
    { D, NULL, SLICE("{'addresses':[" TIMES_64("'10.0.0.1','10.0.0.1',") "'10.0.0.1']}"),
      "endpoints[0].addresses: Too many: 129: must have at most 100 items" },
    { D, NULL, TOP("'addressType':'IPv4','endpoints':[],'ports':[{'port':1,'protocol':''}]"),
      "ports[0].protocol: Unsupported value: \"\": supported values: \"SCTP\", \"TCP\", \"UDP\"" },
    { D, TOP("'addressType':'IPv4'"), TOP("'addressType':'IPv6'"),
      "addressType: Invalid value: \"IPv6\": field is immutable" },
    { "core/v1.Endpoints", NULL, SUBSET("'addresses':[{'ip':'10.0.0.1'}],'ports':[{'port':80}]"),
      NULL },
    { "core/v1.Endpoints", NULL, SUBSET("'ports':[{'port':80}]"),
      "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`" },
    { "core/v1.Endpoints", NULL, SUBSET("'addresses':[{'ip':'x'}]"),
      "[subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP address..." },
    { "core/v1.Endpoints", NULL, SUBSET("'addresses':[{'ip':'127.0.0.1'}]"),
      "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback..." },
    { "core/v1.Endpoints", NULL,
      SUBSET("'addresses':[{'ip':'10.0.0.1'}],'ports':[{'port':0,'name':'a'},{'port':1}]"),
      "[subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive, "
      "subsets[0].ports[1].name: Required value]" },
    { EVENT, NULL, TOP("'involvedObject':{'namespace':'d'}"), NULL },
    { EVENT, NULL, TOP("'involvedObject':{'namespace':'e'}"),
      "involvedObject.namespace: Invalid value: \"e\": does not match event.namespace" },
    { EVENT, NULL, TOP("'involvedObject':{}"),
      "involvedObject.namespace: Invalid value: \"\": does not match event.namespace" },
    { EVENT, NULL, TOP("'involvedObject':{'namespace':'d'}," WHEN),
      "[reportingComponent: Required value, reportingComponent: Invalid value: \"\": name part must "
      "be non-empty..." },
    { NEW, NULL, TOP(GOOD), NULL },
    { NEW, NULL, TOP(GOOD ",'deprecatedCount':1,'series':{'count':1}"),
      "[series.count: Invalid value: \"\": should be at least 2, series.lastObservedTime: Required "
      "value, count: Invalid value: \"\": needs to be unset]" },
    { NEW, NULL, TOP("'regarding':{'namespace':'d'},'type':'x'"),
      "[eventTime: Required value, type: Invalid value: \"\": has invalid value: x]" },
    { NEW, TOP(GOOD), TOP(GOOD ",'note':'n'"),
      "message: Invalid value: \"n\": field is immutable" },
    { NEW, TOP(GOOD), TOP(GOOD ",'series':{'count':1},'deprecatedSource':{'host':'h'}"),
      "[series.count: Invalid value: \"\": should be at least 2, series.lastObservedTime: Required "
      "value, source: Invalid value: {\"Component\":\"\",\"Host\":\"h\"}: field is immutable]" },
};

VALIDATION_TABLE(validation_cluster, discovery, discovery)

#define V "apiregistration.k8s.io/v1.APIService"
#define SERVICE(s)                                                                                                                      \
    "{'metadata':{'name':'v1.a.b','namespace':'d'},'spec':{'group':'a.b','version':'v1','groupPriorityMinimum':1,'versionPriority':1" s \
    "}}"

#define AVAILABLE(s)                                                                                                               \
    "{'metadata':{'name':'v1.a.b','namespace':'d','resourceVersion':'1'},'status':{'conditions':[{'type':'Available','status':'" s \
    "'}]}}"

static const struct validation_case api_services[] = {
    { V, NULL, SERVICE(",'service':{'name':'s','namespace':'n'}"), NULL },
    { V, NULL, SERVICE(",'service':{},'insecureSkipTLSVerify':true,'caBundle':'YQ=='"),
      "[spec.service.namespace: Required value, spec.service.name: Required value, "
      "spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present]" },
    { V, NULL, SPEC("'group':'A','version':'v1','groupPriorityMinimum':1,'versionPriority':1"),
      "[metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: \"v1.A\", spec.group: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')]" },
    { V, NULL,
      NAMED("1.a", "'group':'a','version':'1','groupPriorityMinimum':1,'versionPriority':1"),
      "spec.version: Invalid value: \"1\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')" },
    { V, SERVICE(""), AVAILABLE("True"), NULL, true },
    { V, SERVICE(""), AVAILABLE("x"),
      "status.conditions[0].status: Unsupported value: \"x\": supported values: \"True\", \"False\", \"Unknown\"",
      true },
    { V, NULL, "{" META ",'spec':{'group':'a.b','version':'v1'}}",
      "[metadata.name: Invalid value: \"x\": must be `spec.version+\".\"+spec.group`: \"v1.a.b\", "
      "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000, "
      "spec.versionPriority: Invalid value: 0: must be positive and less than 1000]" },
};

VALIDATION_TABLE(validation_cluster, api_services, api_services)
