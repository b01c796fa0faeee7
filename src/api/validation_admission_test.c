/* Webhooks and admission policies; refusals are in the words of upstream's server. */
#include "api/validation_fixture.h"

#define V "ValidatingWebhookConfiguration"
#define M "MutatingWebhookConfiguration"
#define A "admissionregistration.k8s.io/v1."
#define HOOK(more)                                                                                 \
    TOP("'webhooks':[{'name':'a.b.c','sideEffects':'None','admissionReviewVersions':['v1']" more   \
        "}]")
#define URL(u)     ",'clientConfig':{'url':'" u "'}"
#define RULE(r)    HOOK(URL("https://h/") ",'rules':[{" r "}]")
#define ALL        "'apiGroups':['*'],'apiVersions':['*'],'resources':['*'],'operations':['*']"
#define POLICY(p)  SPEC("'matchConstraints':{'resourceRules':[{" ALL "}]}" p)
#define BINDING(b) SPEC("'policyName':'p'" b)

/* A list of JSON patches that is one, as expressions go. */
#define PATCH "[JSONPatch{op: \\\"remove\\\", path: \\\"/a\\\"}]"
#define MUTATIONS(m)                                                                                 \
    SPEC(                                                                                            \
        "'failurePolicy':'Fail','reinvocationPolicy':'Never','matchConstraints':{'resourceRules':[{" \
        "'operations':['*'],'apiGroups':['*'],'apiVersions':['*'],'resources':['*']}]},"             \
        "'mutations':[" m "]")

#define COND(n) "{'name':'" n "','expression':'true'}"
#define GOOD    URL("https://h/")
#define BAD_HOOK                                                                                   \
    TOP("'webhooks':[{'name':'a.b.c','sideEffects':'','failurePolicy':'','matchPolicy':'',"        \
        "'timeoutSeconds':0,'admissionReviewVersions':['v1','v1','V'],'clientConfig':{'url':'https:///x','service':{'namespace':'n','name':'s'}}}]")
#define SERVE(s) HOOK(",'clientConfig':{'service':{" s "}}")
#define PLAIN    "{'name':'a.b.c','sideEffects':'None','admissionReviewVersions':['v1']" GOOD "}"

static const struct
    validation_case
        webhooks
            [] = {
                { A "ValidatingWebhookConfiguration", NULL, RULE(ALL), NULL },
                { A "ValidatingWebhookConfiguration", NULL, TOP("'webhooks':[{'name':'a'}]"),
                  "[webhooks[0].name: Invalid value: \"a\": should be a domain with at least three segments separated by dots, webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun, webhooks[0].clientConfig: Required value: exactly one of url or service is required, webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1]" },
                { A "ValidatingWebhookConfiguration", NULL, HOOK(URL("http://u@h/?q#f")),
                  "[webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path], webhooks[0].clientConfig.url: Invalid value: \"u\": user information is not permitted in the URL, webhooks[0].clientConfig.url: Invalid value: \"f\": fragments are not permitted in the URL, webhooks[0].clientConfig.url: Invalid value: \"q\": query parameters are not permitted in the URL]" },
                { A "ValidatingWebhookConfiguration", NULL,
                  HOOK(",'clientConfig':{'service':{'port':0,'path':'x'}}"),
                  "[webhooks[0].clientConfig.service.name: Required value, webhooks[0].clientConfig.service.namespace: Required value, webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive, webhooks[0].clientConfig.service.path: Invalid value: \"x\": must start with a '/', webhooks[0].clientConfig.service.path: Invalid value: \"x\": segment[0] may not be empty]" },
                { A "ValidatingWebhookConfiguration", NULL,
                  HOOK(URL(
                      "https://h") ",'failurePolicy':'x','matchPolicy':'y','timeoutSeconds':31"),
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
                  "[webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations, webhooks[0].rules[0].apiGroups: Invalid value: [\"*\",\"a\"]: if '*' is present, must not specify other API groups, webhooks[0].rules[0].apiVersions: Invalid value: [\"*\",\"v1\"]: if '*' is present, must not specify other API versions, webhooks[0].rules[0].resources[1]: Invalid value: \"a/b\": if 'a/*' is present, must not specify a/b, webhooks[0].rules[0].scope: Unsupported value: \"x\": supported values: \"*\", \"Cluster\", \"Namespaced\"]" },
                { A "MutatingWebhookConfiguration", NULL,
                  HOOK(URL(
                      "https://h") ",'reinvocationPolicy':'x','matchConditions':[{'name':'/'}]"),
                  "[webhooks[0].reinvocationPolicy: Unsupported value: \"x\": supported values: \"IfNeeded\", "
                  "\"Never\", webhooks[0].matchConditions[0].expression: Required value, "
                  "webhooks[0].matchConditions[0].name: Invalid value: \"/\"..." },
                { A V, NULL, HOOK(GOOD ",'matchConditions':[" COND("a") "," COND("b") "]"), NULL },
                { A M, NULL, HOOK(GOOD ",'matchConditions':[" COND("a") "," COND("b") "]"), NULL },
                { A V, NULL, HOOK(GOOD ",'matchConditions':[" COND("a") "," COND("a") "]"),
                  "webhooks[0].matchConditions[1].name: Duplicate value: \"a\"" },
                { A M, NULL, HOOK(GOOD ",'matchConditions':[" COND("a") "," COND("a") "]"),
                  "webhooks[0].matchConditions[1].name: Duplicate value: \"a\"" },
                { A V, NULL,
                  HOOK(GOOD ",'matchConditions':[" TIMES_64(COND("a") ",") COND("a") "]"),
                  "[webhooks[0].matchConditions: Too many: 65: must have at most 64 items..." },
                { A M, NULL,
                  HOOK(GOOD ",'matchConditions':[" TIMES_64(COND("a") ",") COND("a") "]"),
                  "[webhooks[0].matchConditions: Too many: 65: must have at most 64 items..." },
                { A V, NULL, HOOK(GOOD ",'matchConditions':[{'expression':' '}]"),
                  "[webhooks[0].matchConditions[0].expression: Required value, webhooks[0].matchConditions[0].name: Required value]" },
                { A V, NULL, BAD_HOOK,
                  "[webhooks[0].failurePolicy: Unsupported value: \"\": supported values: \"Fail\", \"Ignore\", webhooks[0].matchPolicy: Unsupported value: \"\": supported values: \"Equivalent\", \"Exact\", webhooks[0].sideEffects: Unsupported value: \"\": supported values: \"None\", \"NoneOnDryRun\", webhooks[0].timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds, webhooks[0].clientConfig: Required value: exactly one of url or service is required, webhooks[0].admissionReviewVersions[1]: Invalid value: \"v1\": duplicate version, webhooks[0].admissionReviewVersions[2]: Invalid value: \"V\": a DNS-1035 label..." },
                { A M, NULL, BAD_HOOK,
                  "[webhooks[0].failurePolicy: Unsupported value: \"\": supported values: \"Fail\", \"Ignore\", webhooks[0].matchPolicy: Unsupported value: \"\": supported values: \"Equivalent\", \"Exact\", webhooks[0].sideEffects: Unsupported value: \"\": supported values: \"None\", \"NoneOnDryRun\", webhooks[0].timeoutSeconds: Invalid value: 0: the timeout value must be between 1 and 30 seconds, webhooks[0].clientConfig: Required value: exactly one of url or service is required, webhooks[0].admissionReviewVersions[1]: Invalid value: \"v1\": duplicate version, webhooks[0].admissionReviewVersions[2]: Invalid value: \"V\": a DNS-1035 label..." },
                { A M, NULL, TOP("'webhooks':[{}]"),
                  "[webhooks[0].name: Required value, webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun, webhooks[0].clientConfig: Required value: exactly one of url or service is required, webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1]" },
                { A V, NULL, HOOK(GOOD), NULL },
                { A V, NULL, TOP("'webhooks':[" PLAIN "," PLAIN "]"),
                  "webhooks[1].name: Duplicate value: \"a.b.c\"" },
                { A M, NULL, TOP("'webhooks':[" PLAIN "," PLAIN "]"),
                  "webhooks[1].name: Duplicate value: \"a.b.c\"" },
                { A M, NULL,
                  RULE(
                      "'apiGroups':[''],'apiVersions':[''],'resources':['','*','a'],'operations':['x']"),
                  "[webhooks[0].rules[0].operations[0]: Unsupported value: \"x\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\", webhooks[0].rules[0].apiVersions[0]: Required value, webhooks[0].rules[0].resources[0]: Required value, webhooks[0].rules[0].resources: Invalid value: [\"\",\"*\",\"a\"]: if '*' is present, must not specify other resources without subresources]" },
                { A M, NULL,
                  RULE(
                      "'apiGroups':['a'],'apiVersions':['v1'],'resources':['a','*/*'],'operations':['CREATE','DELETE']"),
                  "webhooks[0].rules[0].resources: Invalid value: [\"a\",\"*/*\"]: if '*/*' is present, must not specify other resources" },
                { A M, NULL,
                  RULE(
                      "'apiGroups':['a'],'apiVersions':['v1'],'resources':['*/s','a/s'],'operations':['CREATE','DELETE']"),
                  "webhooks[0].rules[0].resources[1]: Invalid value: \"a/s\": if '*/s' is present, must not specify a/s" },
                { A V, NULL, HOOK(URL("")),
                  "[webhooks[0].clientConfig.url: Invalid value: \"\": 'https' is the only allowed URL scheme; desired format: https://host[/path], webhooks[0].clientConfig.url: Invalid value: \"\": host must be specified; desired format: https://host[/path]]" },
                { A V, NULL, HOOK(URL("HTTPS://h?")), NULL },
                { A V, NULL, SERVE("'namespace':'n','name':'s','path':'/a/b.c/'"), NULL },
                { A V, NULL, SERVE("'namespace':'n','name':'s','path':'/'"), NULL },
                { A V, NULL, SERVE("'namespace':'n','path':'//'"),
                  "[webhooks[0].clientConfig.service.namespace: Required value, webhooks[0].clientConfig.service.path: Invalid value: \"//\": segment[0] may not be empty]" },
                { A V, NULL, SERVE("'name':'s','path':'a//b/'"),
                  "[webhooks[0].clientConfig.service.name: Required value, webhooks[0].clientConfig.service.path: Invalid value: \"a//b/\": must start with a '/', webhooks[0].clientConfig.service.path: Invalid value: \"a//b/\": segment[0] may not be empty, webhooks[0].clientConfig.service.path: Invalid value: \"a//b/\": segment[1] may not be empty]" },
                { A V, NULL, SERVE("'namespace':'n','name':'s','path':'/a//b//'"),
                  "[webhooks[0].clientConfig.service.path: Invalid value: \"/a//b//\": segment[1] may not be empty, webhooks[0].clientConfig.service.path: Invalid value: \"/a//b//\": segment[3] may not be empty]" },
                { A V, NULL, SERVE("'namespace':'n','name':'s','path':'/a_/b'"),
                  "webhooks[0].clientConfig.service.path: Invalid value: \"/a_/b\": segment[0]: a lowercase RFC 1123 subdomain..." },
            };

VALIDATION_TABLE(validation_admission, webhooks, webhooks)

#define MATCH_ALL "'matchConstraints':{'resourceRules':[{" ALL "}]}"
#define VALID(p)  POLICY(",'validations':[{'expression':'true'}]" p)
#define AUDIT(a)  POLICY(",'auditAnnotations':[" a "]")
#define MUTATE(p)                                                                                  \
    SPEC("'mutations':[{'patchType':'JSONPatch','jsonPatch':{'expression':'" PATCH "'}}]" p)
#define ONCE       ",'reinvocationPolicy':'Never'"
#define NOTE(k)    "{'key':'" k "','valueExpression':'\\\"v\\\"'}"
#define MB         "MutatingAdmissionPolicyBinding"
#define VB         "ValidatingAdmissionPolicyBinding"
#define MP         "MutatingAdmissionPolicy"
#define VP         "ValidatingAdmissionPolicy"
#define LONG       "a123456789a123456789a123456789a123456789a123456789a123456789abcd"
#define RULE_OF(o) "'apiGroups':['*'],'apiVersions':['*'],'resources':['*'],'operations':[" o "]"

static const struct validation_case policies[] = {
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
      MUTATIONS("{'patchType':'JSONPatch','jsonPatch':{'expression':'" PATCH "'}},{'patchType':"
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
    { A "ValidatingAdmissionPolicy", WITH_STATUS(""), WITH_STATUS("'conditions':[{'type':'/'}]"),
      "[status.conditions[0].type: Invalid value: \"/\": prefix part must be non-empty...", true },
    { A "ValidatingAdmissionPolicy", WITH_STATUS(""),
      WITH_STATUS("'conditions':[{'type':'A','status':'True','reason':'R','message':'',"
                  "'lastTransitionTime':'2024-01-01T00:00:00Z'}]"),
      NULL, true },
    { A VP, NULL,
      VALID(",'matchConditions':[" COND("a") "," COND(
          "b") "],'paramKind':{'apiVersion':'a.b/v1','kind':'Kind'}"),
      NULL },
    { A VP, NULL, VALID(",'matchConditions':[" COND("a") "," COND("a") "]"),
      "spec.matchConditions[1].name: Duplicate value: \"a\"" },
    { A VP, NULL, VALID(",'matchConditions':[" TIMES_64(COND("a") ",") COND("a") "]"),
      "[spec.matchConditions: Too many: 65: must have at most 64 items..." },
    { A MP, NULL, MUTATE(ONCE "," MATCH_ALL ",'matchConditions':[" COND("a") "," COND("b") "]"),
      NULL },
    { A MP, NULL, MUTATE(ONCE "," MATCH_ALL ",'matchConditions':[" COND("a") "," COND("a") "]"),
      "spec.matchConditions[1].name: Duplicate value: \"a\"" },
    { A MP, NULL,
      MUTATE(ONCE "," MATCH_ALL ",'matchConditions':[" TIMES_64(COND("a") ",") COND("a") "]"),
      "[spec.matchConditions: Too many: 65: must have at most 64 items..." },
    { A VP, NULL, VALID(",'paramKind':{}"),
      "[spec.paramKind.apiVersion: Required value, spec.paramKind.kind: Required value]" },
    { A VP, NULL, VALID(",'paramKind':{'apiVersion':'v1','kind':'A_b'}"),
      "spec.paramKind.kind: Invalid value: \"A_b\": may have mixed case, but should otherwise match: a DNS-1035 label..." },
    { A VP, NULL, VALID(",'paramKind':{'apiVersion':'a/b/c','kind':'K'}"),
      "spec.paramKind.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c" },
    { A VP, NULL, VALID(",'paramKind':{'apiVersion':'A/V','kind':'K'}"),
      "[spec.paramKind.apiVersion: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.paramKind.apiVersion: Invalid value: \"V\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')]" },
    { A VP, NULL, VALID(",'paramKind':{'apiVersion':'a/','kind':'K'}"),
      "spec.paramKind.apiVersion: Invalid value: \"a/\": version must be specified" },
    { A VP, NULL, VALID(",'failurePolicy':''"),
      "spec.failurePolicy: Unsupported value: \"\": supported values: \"Fail\", \"Ignore\"" },
    { A MP, NULL, MUTATE(ONCE "," MATCH_ALL ",'failurePolicy':''"),
      "spec.failurePolicy: Unsupported value: \"\": supported values: \"Fail\", \"Ignore\"" },
    { A VP, NULL,
      POLICY(
          ",'validations':[{'expression':'true','reason':'Invalid','message':'m'},{'expression':'true','reason':'x','message':'a\\nb','messageExpression':' '}]"),
      "[spec.validations[1].messageExpression: Invalid value: \" \": must be non-empty if specified, spec.validations[1].message: Invalid value: \"a\\nb\": must not contain line breaks, spec.validations[1].reason: Unsupported value: \"x\": supported values: \"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\"]" },
    { A VP, NULL,
      POLICY(",'validations':[{'expression':'true','reason':'Invalid','message':' m '}]"), NULL },
    { A VP, NULL, VALID(",'variables':[{'name':'a_1','expression':'1'}]"), NULL },
    { A VP, NULL,
      VALID(",'variables':[{},{'name':'1a','expression':'1'},{'name':'in','expression':' '}]"),
      "[spec.variables[0].name: Required value: name is not specified, spec.variables[0].expression: Required value: expression is not specified, spec.variables[1].name: Invalid value: \"1a\": must be a valid CEL identifier, spec.variables[2].name: Invalid value: \"in\": must be a valid CEL identifier, spec.variables[2].expression: Required value: expression is not specified]" },
    { A VP, NULL, AUDIT(NOTE("k") "," NOTE("l")), NULL },
    { A VP, NULL, AUDIT(NOTE("k") "," NOTE("k")),
      "spec.auditAnnotations[1].key: Duplicate value: \"k\"" },
    { A VP, NULL, AUDIT("{'key':'a/b','valueExpression':' '}"),
      "[spec.auditAnnotations[0].key: Invalid value: \"x/a/b\": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName'), spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified]" },
    { A VP, NULL, AUDIT("{'key':''}"),
      "[spec.auditAnnotations[0].key: Invalid value: \"x/\": name part must be non-empty, spec.auditAnnotations[0].key: Invalid value: \"x/\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.auditAnnotations[0].valueExpression: Required value: valueExpression is not specified]" },
    { A VP, NULL, AUDIT(NOTE(LONG)),
      "spec.auditAnnotations[0].key: Invalid value: \"x/a123456789a123456789a123456789a123456789a123456789a123456789abcd\": name part must be no more than 63 bytes" },
    { A VP, NULL, AUDIT(TIMES_64(NOTE("k") ",") NOTE("k")),
      "[spec.auditAnnotations: Invalid value: [{\"Key\":\"k\",\"ValueExpression\":\"\\\"v\\\"\"},{\"Key\":\"k\",\"ValueExpression\":\"\\\"v\\\"\"},{\"Key\":\"k\",\"ValueExpression\":\"\\\"v\\\"\"},{\"Key\":\"k\",\"ValueExpression\":\"\\\"v\\\"\"},{\"Key\":\"..." },
    { A VP, NULL, SPEC("'matchConstraints':{},'validations':[{'expression':'true'}]"),
      "spec.matchConstraints.resourceRules: Required value" },
    { A MP, NULL, MUTATE(ONCE ",'matchConstraints':{}"),
      "spec.matchConstraints.resourceRules: Required value" },
    { A MP, NULL, SPEC("'reinvocationPolicy':''"),
      "[spec.matchConstraints: Required value, spec.mutations: Required value: mutations must contain at least one item, spec.reinvocationPolicy: Required value]" },
    { A MP, NULL, MUTATE("," MATCH_ALL ",'reinvocationPolicy':'x'"),
      "spec.reinvocationPolicy: Unsupported value: \"x\": supported values: \"IfNeeded\", \"Never\"" },
    { A MP, NULL,
      MUTATE(ONCE ",'matchConstraints':{'resourceRules':[{" RULE_OF(
          "'CREATE','DELETE'") "},{" RULE_OF("'UPDATE','x'") "}]}"),
      "[spec.matchConstraints.resourceRules[1].operations[1]: Unsupported value: \"x\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"DELETE\", \"UPDATE\", spec.matchConstraints.resourceRules.operations: Unsupported value: \"DELETE\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"UPDATE\", spec.matchConstraints.resourceRules.operations: Unsupported value: \"x\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"UPDATE\"]" },
    { A MP, NULL, MUTATIONS("{},{'patchType':'x'},{'patchType':'JSONPatch','jsonPatch':{}}"),
      "[spec.mutations[0].patchType: Required value, spec.mutations[1].patchType: Unsupported value: \"x\": supported values: \"ApplyConfiguration\", \"JSONPatch\", spec.mutations[2].jsonPatch.expression: Required value]" },
    { A MP, NULL, MUTATE(ONCE "," MATCH_ALL ",'variables':[{'name':'while','expression':'1'}]"),
      "spec.variables[0].name: Invalid value: \"while\": must be a valid CEL identifier" },
    { A VB, NULL,
      BINDING(
          ",'validationActions':['Deny','Audit'],'paramRef':{'name':'n','parameterNotFoundAction':'Allow'},'matchResources':{'resourceRules':[{" ALL
          ",'resourceNames':['a','b']}]}"),
      NULL },
    { A VB, NULL, SPEC("'policyName':'P','validationActions':[],'paramRef':{'name':'a/b','parameterNotFoundAction':'x'}"), "[spec.policyName: Invalid value: \"P\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.paramRef.name: Invalid value: \"a/b\": may not contain '/', spec.paramRef.parameterNotFoundAction: Unsupported value: \"x\": supported values: \"Deny\", \"Allow\", spec.validationActions: Required value: at least one validation action is required]" },
    { A VB, NULL, BINDING(",'validationActions':['Deny','Deny']"),
      "spec.validationActions[1]: Duplicate value: \"Deny\"" },
    { A VB, NULL,
      BINDING(",'validationActions':['Deny'],'matchResources':{'resourceRules':[{" ALL
              ",'resourceNames':['..']}],'excludeResourceRules':[{" ALL
              ",'resourceNames':['%','%']}]}"),
      "[spec.matchResources.resourceRules[0].resourceNames[0]: Invalid value: \"..\": may not be '..', spec.matchResources.excludeResourceRules[0].resourceNames[0]: Invalid value: \"%\": may not contain '%', spec.matchResources.excludeResourceRules[0].resourceNames[1]: Invalid value: \"%\": may not contain '%', spec.matchResources.excludeResourceRules[0].resourceNames[1]: Duplicate value: \"%\"]" },
    { A MB, NULL, BINDING(",'paramRef':{'selector':{},'parameterNotFoundAction':'Deny'}"), NULL },
    { A MB, NULL, SPEC("'policyName':''"), "spec.policyName: Required value" },
    { A MB, NULL, SPEC("'policyName':'P','paramRef':{'name':'n','parameterNotFoundAction':''}"),
      "[spec.policyName: Invalid value: \"P\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), spec.paramRef.parameterNotFoundAction: Required value]" },
    { A MB, NULL, BINDING(",'matchResources':{'resourceRules':[{" RULE_OF("'DELETE'") "}]}"),
      "spec.matchResources.resourceRules.operations: Unsupported value: \"DELETE\": supported values: \"*\", \"CONNECT\", \"CREATE\", \"UPDATE\"" },
    { A VP, WITH_STATUS(""),
      WITH_STATUS(
          "'typeChecking':{'expressionWarnings':[{'fieldRef':'spec.validations[0].expression','warning':'w'}]}"),
      NULL, true },
    { A VP, WITH_STATUS(""),
      WITH_STATUS(
          "'typeChecking':{'expressionWarnings':[{'fieldRef':' '}]},'conditions':[{'type':'/'}]"),
      "[status.typeChecking.expressionWarnings[0].warning: Required value, status.typeChecking.expressionWarnings[0].fieldRef: Required value, status.conditions[0].type: Invalid value: \"/\": prefix part must ...",
      true },
};

VALIDATION_TABLE(validation_admission, policies, policies)
