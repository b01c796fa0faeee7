#include "api/validation_fixture.h"

#define STATUS(st)        "{" META ",'status':{" st "}}"
#define TOP(m)            "{" META "," m "}"
#define NAMED(name, spec) "{'metadata':{'name':'" name "','namespace':'d'},'spec':{" spec "}}"
#define MANDATORY(level, precedence, more, group)                                                  \
    "'priorityLevelConfiguration':{'name':'" level "'},'matchingPrecedence':" precedence more      \
    ",'rules':[{'subjects':[{'kind':'Group','group':{'name':'" group                               \
    "'}}],'resourceRules':[{'verbs':['*'],'apiGroups':['*'],'resources':['*'],'clusterScope':"     \
    "true,'namespaces':['*']}],'nonResourceRules':[{'verbs':['*'],'nonResourceURLs':['*']}]}]"
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
    { PDB, STATUS(""),
      STATUS("'disruptionsAllowed':-1,'currentHealthy':0,'desiredHealthy':0,'expectedPods':0"),
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
      "scheduling.tolerations[1]: Duplicate value: {\"key\":\"k\"}" },
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
    { QUOTA, STATUS(""), STATUS("'used':{'x':'1'}"),
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
      "[subsets[0].ports[1].name: Required value, subsets[0].ports[0].port: Invalid value: 0: must "
      "be between 1 and 65535, inclusive]" },
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

#define A "admissionregistration.k8s.io/v1."
#define HOOK(more)                                                                                 \
    TOP("'webhooks':[{'name':'a.b.c','sideEffects':'None','admissionReviewVersions':['v1']" more   \
        "}]")
#define URL(u)     ",'clientConfig':{'url':'" u "'}"
#define RULE(r)    HOOK(URL("https://h/") ",'rules':[{" r "}]")
#define ALL        "'apiGroups':['*'],'apiVersions':['*'],'resources':['*'],'operations':['*']"
#define POLICY(p)  SPEC("'matchConstraints':{'resourceRules':[{" ALL "}]}" p)
#define BINDING(b) SPEC("'policyName':'p'" b)
#define V          "apiregistration.k8s.io/v1.APIService"
#define SERVICE(s)                                                                                                                      \
    "{'metadata':{'name':'v1.a.b','namespace':'d'},'spec':{'group':'a.b','version':'v1','groupPriorityMinimum':1,'versionPriority':1" s \
    "}}"

#define AVAILABLE(s)                                                                                                               \
    "{'metadata':{'name':'v1.a.b','namespace':'d','resourceVersion':'1'},'status':{'conditions':[{'type':'Available','status':'" s \
    "'}]}}"

#define MUTATIONS(m)                                                                                 \
    SPEC(                                                                                            \
        "'failurePolicy':'Fail','reinvocationPolicy':'Never','matchConstraints':{'resourceRules':[{" \
        "'operations':['*'],'apiGroups':['*'],'apiVersions':['*'],'resources':['*']}]},"             \
        "'mutations':[" m "]")

static const struct validation_case admission[] = {
    { A "ValidatingWebhookConfiguration", NULL, RULE(ALL), NULL },
    { A "ValidatingWebhookConfiguration", NULL, TOP("'webhooks':[{'name':'a'}]"),
      "[webhooks[0].name: Invalid value: \"a\": should be a domain with at least three segments "
      "separated by dots, webhooks[0].admissionReviewVersions: Required value: must specify one of "
      "v1, v1beta1, webhooks[0].sideEffects: Required value: must specify one of None, "
      "NoneOnDryRun, webhooks[0].clientConfig: Required value: exactly one of url or service is "
      "required]" },
    { A "ValidatingWebhookConfiguration", NULL, HOOK(URL("http://u@h/?q#f")),
      "[webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL "
      "scheme; desired format: https://host[/path], webhooks[0].clientConfig.url: Invalid value: "
      "\"f\": fragments are not permitted in the URL, webhooks[0].clientConfig.url: Invalid value: "
      "\"q\": query parameters are not permitted in the URL, webhooks[0].clientConfig.url: Invalid "
      "value: \"u\": user information is not permitted in the URL]" },
    { A "ValidatingWebhookConfiguration", NULL,
      HOOK(",'clientConfig':{'service':{'port':0,'path':'x'}}"),
      "[webhooks[0].clientConfig.service.name: Required value, "
      "webhooks[0].clientConfig.service.namespace: Required value, "
      "webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between "
      "1 and 65535, inclusive, webhooks[0].clientConfig.service.path: Invalid value: \"x\": must "
      "start with a '/']" },
    { A "ValidatingWebhookConfiguration", NULL,
      HOOK(URL("https://h") ",'failurePolicy':'x','matchPolicy':'y','timeoutSeconds':31"),
      "[webhooks[0].failurePolicy: Unsupported value: \"x\": supported values: \"Fail\", "
      "\"Ignore\", webhooks[0].matchPolicy: Unsupported value: \"y\": supported values: "
      "\"Equivalent\", \"Exact\", webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value "
      "must be between 1 and 30 seconds]" },
    { A "ValidatingWebhookConfiguration", NULL, RULE(""),
      "[webhooks[0].rules[0].operations: Required value, webhooks[0].rules[0].apiGroups: Required "
      "value, webhooks[0].rules[0].apiVersions: Required value, webhooks[0].rules[0].resources: "
      "Required value]" },
    { A "MutatingWebhookConfiguration", NULL,
      RULE("'apiGroups':['*','a'],'apiVersions':['*','v1'],'resources':['a/*','a/b'],"
           "'operations':['*','CREATE'],'scope':'x'"),
      "[webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must "
      "not specify other operations, webhooks[0].rules[0].scope: Unsupported value: \"x\": supported "
      "values: \"*\", \"Cluster\", \"Namespaced\", webhooks[0].rules[0].apiGroups: Invalid value: "
      "[\"*\",\"a\"]: if '*' is present, must not specify other API groups, "
      "webhooks[0].rules[0].apiVersions: Invalid value: [\"*\",\"v1\"]: if '*' is present, must not "
      "specify other API versions, webhooks[0].rules[0].resources[1]: Invalid value: \"a/b\": if "
      "'a/*' is present, must not specify a/b]" },
    { A "MutatingWebhookConfiguration", NULL,
      HOOK(URL("https://h") ",'reinvocationPolicy':'x','matchConditions':[{'name':'/'}]"),
      "[webhooks[0].reinvocationPolicy: Unsupported value: \"x\": supported values: \"IfNeeded\", "
      "\"Never\", webhooks[0].matchConditions[0].expression: Required value, "
      "webhooks[0].matchConditions[0].name: Invalid value: \"/\"..." },
    { A "ValidatingAdmissionPolicy", NULL, POLICY(",'validations':[{'expression':'true'}]"), NULL },
    { A "ValidatingAdmissionPolicy", NULL, POLICY(""),
      "[spec.validations: Required value: validations or auditAnnotations must contain at least one "
      "item, spec.auditAnnotations: Required value: validations or auditAnnotations must contain at "
      "least one item]" },
    { A "ValidatingAdmissionPolicy", NULL, SPEC("'validations':[{'expression':' ','message':' '}]"),
      "[spec.matchConstraints: Required value, spec.validations[0].expression: Required value: "
      "expression is not specified, spec.validations[0].message: Invalid value: \" \": must be "
      "non-empty if specified]" },
    { A "ValidatingAdmissionPolicyBinding", NULL, BINDING(",'validationActions':['Deny']"), NULL },
    { A "ValidatingAdmissionPolicyBinding", NULL, SPEC("'validationActions':['Deny','Warn','x']"),
      "[spec.policyName: Required value, spec.validationActions[2]: Unsupported value: \"x\": "
      "supported values: \"Audit\", \"Deny\", \"Warn\", spec.validationActions: Invalid value: "
      "[\"Deny\",\"Warn\",\"x\"]: must not contain both Deny and Warn (repeating the same validation "
      "failure information in the API response and headers serves no purpose)]" },
    { A "ValidatingAdmissionPolicyBinding", NULL,
      BINDING(",'validationActions':['Deny'],'paramRef':{}"),
      "[spec.paramRef: Required value: one of name or selector must be specified, "
      "spec.paramRef.parameterNotFoundAction: Required value]" },
    { A "ValidatingAdmissionPolicyBinding", NULL,
      BINDING(",'validationActions':['Deny'],'paramRef':{'name':'n','selector':{},"
              "'parameterNotFoundAction':'Allow'}"),
      "[spec.paramRef.name: Forbidden: name and selector are mutually exclusive, "
      "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive]" },
    { A "MutatingAdmissionPolicy", NULL,
      MUTATIONS("{'patchType':'JSONPatch','jsonPatch':{'expression':'[]'}},{'patchType':"
                "'ApplyConfiguration','applyConfiguration':{'expression':'Object{}'}}"),
      NULL },
    { A "MutatingAdmissionPolicy", NULL,
      MUTATIONS("{'patchType':'JSONPatch','applyConfiguration':{}},{'patchType':"
                "'ApplyConfiguration','applyConfiguration':{},'jsonPatch':{}}"),
      "[spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch, "
      "spec.mutations[0].applyConfiguration: Invalid value: \"{applyConfiguration}\": must not be "
      "specified when patchType is JSONPatch, spec.mutations[1].applyConfiguration.expression: "
      "Required value, spec.mutations[1].jsonPatch: Invalid value: \"{jsonPatch}\": must not be "
      "specified when patchType is ApplyConfiguration]" },
    { A "ValidatingAdmissionPolicyBinding", NULL,
      BINDING(",'validationActions':['Deny'],'matchResources':{'matchPolicy':'','resourceRules':[{"
              "'operations':['*'],'apiGroups':['*'],'apiVersions':['*'],'resources':['*'],"
              "'resourceNames':['a','a'],'scope':''}]}"),
      "[spec.matchResources.matchPolicy: Unsupported value: \"\": supported values: \"Equivalent\", "
      "\"Exact\", spec.matchResources.resourceRules[0].resourceNames[1]: Duplicate value: \"a\", "
      "spec.matchResources.resourceRules[0].scope: Unsupported value: \"\": supported values: \"*\", "
      "\"Cluster\", \"Namespaced\"]" },
    { A "ValidatingAdmissionPolicy", STATUS(""), STATUS("'conditions':[{'type':'/'}]"),
      "[status.conditions[0].type: Invalid value: \"/\": prefix part must be non-empty...", true },
    { A "ValidatingAdmissionPolicy", STATUS(""),
      STATUS("'conditions':[{'type':'A','status':'True','reason':'R','message':'',"
             "'lastTransitionTime':'2024-01-01T00:00:00Z'}]"),
      NULL, true },
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

VALIDATION_TABLE(validation_cluster, admission, admission)

#define F         "flowcontrol.apiserver.k8s.io/v1."
#define SCHEMA(s) SPEC("'priorityLevelConfiguration':{'name':'l'}" s)
#define FLOW(r)   SCHEMA(",'rules':[" r "]")
#define LEVEL(l)  SPEC("'type':'Limited'" l)
#define QUEUES(q) LEVEL(",'limited':{'limitResponse':{'type':'Queue','queuing':{" q "}}}")

static const struct validation_case flowcontrol[] = {
    { F "FlowSchema", NULL,
      FLOW("{'subjects':[{'kind':'User','user':{'name':'u'}}],'nonResourceRules':[{'verbs':['get'],"
           "'nonResourceURLs':['/x/*']}]}"),
      NULL },
    { F "FlowSchema", NULL, SPEC("'matchingPrecedence':1"),
      "[spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have "
      "matchingPrecedence 1, spec.priorityLevelConfiguration.name: Required value: must reference a "
      "priority level]" },
    { F "FlowSchema", NULL,
      SCHEMA(",'matchingPrecedence':10001,'distinguisherMethod':{'type':'x'}"),
      "[spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000, "
      "spec.distinguisherMethod.type: Unsupported value: {\"Type\":\"x\"}: supported values: "
      "\"ByNamespace\", \"ByUser\"]" },
    { F "FlowSchema", NULL, NAMED("exempt", MANDATORY("exempt", "1", "", "system:masters")), NULL },
    { F "FlowSchema", NULL, NAMED("exempt", MANDATORY("exempt", "2", "", "system:masters")),
      "spec: Invalid value: {\"PriorityLevelConfiguration\":{\"Name\":\"exempt\"},"
      "\"MatchingPrecedence\":2..." },
    { F "FlowSchema", NULL,
      NAMED("catch-all", MANDATORY("catch-all", "10000", ",'distinguisherMethod':{'type':'ByUser'}",
                                   "system:authenticated")),
      "spec: Invalid value: {\"PriorityLevelConfiguration\":{\"Name\":\"catch-all\"}..." },
    { F "PriorityLevelConfiguration", NULL,
      NAMED("catch-all",
            "'type':'Limited','limited':{'nominalConcurrencyShares':5,'limitResponse':{"
            "'type':'Reject'}}"),
      NULL },
    { F "PriorityLevelConfiguration", NULL,
      NAMED("catch-all",
            "'type':'Limited','limited':{'nominalConcurrencyShares':6,'limitResponse':{"
            "'type':'Reject'}}"),
      "spec: Invalid value: {\"Type\":\"Limited\",\"Limited\":{\"NominalConcurrencyShares\":6..." },
    { F "PriorityLevelConfiguration", NULL,
      NAMED("exempt", "'type':'Exempt','exempt':{'nominalConcurrencyShares':9}"), NULL },
    { F "FlowSchema", NULL, FLOW("{}"),
      "[spec.rules[0].subjects: Required value: subjects must contain at least one value, "
      "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be "
      "non-empty]" },
    { F "FlowSchema", NULL,
      FLOW("{'subjects':[{'kind':'x'},{'kind':'Group','user':{'name':'u'}}],'resourceRules':[{"
           "'verbs':['x'],'apiGroups':['*','a'],'resources':['*']}]}"),
      "[spec.rules[0].subjects[0].kind: Unsupported value: \"x\": supported values: \"Group\", "
      "\"ServiceAccount\", \"User\", spec.rules[0].subjects[1].group: Required value: group is "
      "required when subject kind is 'Group', spec.rules[0].subjects[1].user: Forbidden: user is "
      "forbidden when subject kind is not 'User', spec.rules[0].resourceRules[0].verbs: Unsupported "
      "value: [\"x\"]: supported values: \"create\", \"delete\", \"deletecollection\", \"get\", "
      "\"list\", \"patch\", \"proxy\", \"update\", \"watch\", "
      "spec.rules[0].resourceRules[0].apiGroups: Invalid value: [\"*\",\"a\"]: if '*' is present, "
      "must not specify other api groups, spec.rules[0].resourceRules[0].namespaces: Required value: "
      "resource rules that are not cluster scoped must supply at least one namespace]" },
    { F "FlowSchema", NULL,
      FLOW("{'subjects':[{'kind':'ServiceAccount','serviceAccount':{'name':'A'}}],"
           "'nonResourceRules':[{'verbs':['*'],'nonResourceURLs':['x']}]}"),
      "[spec.rules[0].subjects[0].serviceAccount.name: Invalid value: \"A\": a lowercase..." },
    { F "PriorityLevelConfiguration", NULL, QUEUES("'queues':16,'handSize':4"), NULL },
    { F "PriorityLevelConfiguration", NULL, SPEC("'type':'x'"),
      "spec.type: Unsupported value: \"x\": supported values: \"Exempt\", \"Limited\"" },
    { F "PriorityLevelConfiguration", NULL, LEVEL(",'exempt':{}"),
      "[spec.exempt: Forbidden: must be nil if the type is Limited, spec.limited: Required value: "
      "must not be empty when type is Limited]" },
    { F "PriorityLevelConfiguration", NULL, QUEUES("'queues':2,'handSize':4"),
      "spec.limited.limitResponse.queuing.handSize: Invalid value: 4: should not be greater than "
      "queues (2)" },
    { F "PriorityLevelConfiguration", NULL, QUEUES("'queues':1024,'handSize':7"),
      "spec.limited.limitResponse.queuing.handSize: Invalid value: 7: required entropy bits of "
      "deckSize 1024 and handSize 7 should not be greater than 60" },
    { F "PriorityLevelConfiguration", NULL,
      LEVEL(",'limited':{'nominalConcurrencyShares':-1,'lendablePercent':101,"
            "'borrowingLimitPercent':-1,'limitResponse':{'type':'Reject','queuing':{}}}"),
      "[spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer, "
      "spec.limited.lendablePercent: Invalid value: 101: must be between 0 and 100, inclusive, "
      "spec.limited.borrowingLimitPercent: Invalid value: -1: if specified, must be a non-negative "
      "integer, spec.limited.limitResponse.queuing: Forbidden: must be nil if "
      "limited.limitResponse.type is not Limited]" },
    { F "FlowSchema", STATUS(""), STATUS("'conditions':[{'type':'a'},{'type':'a'},{}]"),
      "[status.conditions[1].type: Duplicate value: \"a\", status.conditions[2].type: Required "
      "value]",
      true },
    { "certificates.k8s.io/v1.CertificateSigningRequest", NULL,
      SPEC("'request':'eA==','signerName':'x','usages':['y','y'],'expirationSeconds':5"),
      "[spec.request: Invalid value: \"eA==\": PEM block type must be CERTIFICATE REQUEST, "
      "spec.usages[0]: Unsupported value: \"y\": supported values: \"any\", \"cert sign\"..." },
    { "certificates.k8s.io/v1.CertificateSigningRequest", NULL, SPEC("'expirationSeconds':5"),
      "[spec.request: Invalid value: \"\": PEM block type must be CERTIFICATE REQUEST, "
      "spec.signerName: Required value, spec.usages: Required value, spec.expirationSeconds: Invalid "
      "value: 5: may not specify a duration less than 600 seconds (10 minutes)]" },
    { "certificates.k8s.io/v1.CertificateSigningRequest", NULL,
      SPEC("'request':'eA==','signerName':'a_b/c'"),
      "[spec.request: Invalid value: \"eA==\": PEM block type must be CERTIFICATE REQUEST, "
      "spec.signerName: Invalid value: \"a_b\": validating label \"a_b\": a lowercase..." },
};

VALIDATION_TABLE(validation_cluster, flowcontrol, flowcontrol)
