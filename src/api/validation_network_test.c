#include "api/validation_fixture.h"

#define G          "rbac.authorization.k8s.io"
#define RULES(r)   "{" META ",'rules':[" r "]}"
#define BIND(r, s) "{" META ",'roleRef':" r ",'subjects':[" s "]}"
#define AGGREGATE(label)                                                                           \
    "{" META ",'aggregationRule':{'clusterRoleSelectors':[{'matchLabels':{'a':'" label "'}}]}}"
#define ROLE "{'apiGroup':'" G "','kind':'ClusterRole','name':'r'}"

static const struct validation_case rbac[] = {
    { G "/v1.Role", NULL, RULES("{'verbs':['get'],'apiGroups':[''],'resources':['pods']}"), NULL },
    { G "/v1.Role", NULL, RULES("{}"),
      "[rules[0].verbs: Required value: verbs must contain at least one value, rules[0].apiGroups: "
      "Required value: resource rules must supply at least one api group, rules[0].resources: "
      "Required value: resource rules must supply at least one resource]" },
    { G "/v1.Role", NULL, RULES("{'verbs':['get'],'nonResourceURLs':['/x']}"),
      "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: namespaced rules cannot apply to "
      "non-resource URLs" },
    { G "/v1.ClusterRole", NULL, RULES("{'verbs':['get'],'nonResourceURLs':['/x']}"), NULL },
    { G "/v1.ClusterRole", NULL,
      RULES("{'verbs':['get'],'nonResourceURLs':['/x'],'resources':['pods']}"),
      "rules[0].nonResourceURLs: Invalid value: [\"/x\"]: rules cannot apply to both regular "
      "resources and non-resource URLs" },
    { G "/v1.ClusterRole", NULL, "{" META ",'aggregationRule':{}}",
      "aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector "
      "required if aggregationRule is non-nil" },
    { G "/v1.ClusterRole", NULL, AGGREGATE("b"), NULL },
    { G "/v1.ClusterRole", NULL, AGGREGATE("/"),
      "[aggregationRule.clusterRoleSelectors[0].matchLabels: Invalid value: \"/\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?'), aggregationRule.clusterRoleSelectors[0]: Invalid value: null: invalid label selector.]" },
    { G "/v1.RoleBinding", NULL, BIND(ROLE, "{'kind':'User','name':'u'}"), NULL },
    { G "/v1.RoleBinding", NULL, BIND("{'apiGroup':'x','kind':'y'}", ""),
      "[roleRef.apiGroup: Unsupported value: \"x\": supported values: "
      "\"rbac.authorization.k8s.io\", roleRef.kind: Unsupported value: \"y\": supported values: "
      "\"Role\", \"ClusterRole\", roleRef.name: Required value]" },
    { G "/v1.ClusterRoleBinding", NULL, BIND("{'apiGroup':'" G "','kind':'Role','name':'r'}", ""),
      "roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"" },
    { G "/v1.RoleBinding", NULL, BIND(ROLE, "{'kind':'x','name':'u'},{'kind':'Group'}"),
      "[subjects[0].kind: Unsupported value: \"x\": supported values: \"ServiceAccount\", \"User\", "
      "\"Group\", subjects[1].name: Required value]" },
    { G "/v1.RoleBinding", NULL, BIND(ROLE, "{'kind':'ServiceAccount','name':'A','apiGroup':'x'}"),
      "[subjects[0].name: Invalid value: \"A\": a lowercase RFC 1123 subdomain..." },
    { G "/v1.ClusterRoleBinding", NULL, BIND(ROLE, "{'kind':'ServiceAccount','name':'a'}"),
      "subjects[0].namespace: Required value" },
    { G "/v1.RoleBinding", BIND(ROLE, ""),
      BIND("{'apiGroup':'" G "','kind':'ClusterRole','name':'other'}", ""),
      "roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"ClusterRole\","
      "\"Name\":\"other\"}: cannot change roleRef" },
    { G "/v1.ClusterRoleBinding", BIND(ROLE, ""),
      BIND("{'apiGroup':'" G "','kind':'ClusterRole','name':'other'}", ""),
      "roleRef: Invalid value: {\"APIGroup\"..." },
};

VALIDATION_TABLE(validation_network, rbac, rbac)

#define N          "networking.k8s.io/v1."
#define BACKEND    "{'service':{'name':'s','port':{'number':80}}}"
#define PATHS(p)   SPEC("'rules':[{'host':'a.b','http':{'paths':[" p "]}}]")
#define PATH(p, t) PATHS("{'path':'" p "','pathType':'" t "','backend':" BACKEND "}")
#define DEFAULT(b) SPEC("'defaultBackend':" b)
#define PARAMS(p)  SPEC("'controller':'a.b/c','parameters':{'kind':'k','name':'n'" p "}")
#define INGRESS(i) SPEC("'podSelector':{},'ingress':[" i "]")
#define FROM(f)    INGRESS("{'from':[" f "]}")
#define PORTS(p)   INGRESS("{'ports':[" p "]}")

static const struct validation_case networking[] = {
    { N "Ingress", NULL, PATH("/x", "Prefix"), NULL },
    { N "Ingress", NULL, "{" META "}",
      "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified" },
    { N "Ingress", NULL, PATH("x", "Exact"),
      "spec.rules[0].http.paths[0].path: Invalid value: \"x\": must be an absolute path" },
    { N "Ingress", NULL, PATH("/a//b/..", "Prefix"),
      "[spec.rules[0].http.paths[0].path: Invalid value: \"/a//b/..\": must not contain '//', "
      "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b/..\": cannot end with '/..']" },
    { N "Ingress", NULL, PATH("x", "ImplementationSpecific"),
      "spec.rules[0].http.paths[0].path: Invalid value: \"x\": must be an absolute path" },
    { N "Ingress", NULL, PATH("/", "x"),
      "spec.rules[0].http.paths[0].pathType: Unsupported value: \"x\": supported values: \"Exact\", "
      "\"ImplementationSpecific\", \"Prefix\"" },
    { N "Ingress", NULL, PATHS("{'path':'/','backend':" BACKEND "}"),
      "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified" },
    { N "Ingress", NULL, PATHS(""), "spec.rules[0].http.paths: Required value" },
    { N "Ingress", NULL, SPEC("'rules':[{'host':'10.0.0.1'}]"),
      "spec.rules[0].host: Invalid value: \"10.0.0.1\": must be a DNS name, not an IP address" },
    { N "Ingress", NULL, SPEC("'rules':[{'host':'*.a.b'}]"), NULL },
    { N "Ingress", NULL, SPEC("'rules':[{'host':'a.*.b'}]"),
      "spec.rules[0].host: Invalid value: \"a.*.b\": a wildcard DNS-1123 subdomain..." },
    { N "Ingress", NULL, SPEC("'rules':[{}],'tls':[{'hosts':['A'],'secretName':'B'}]"),
      "[spec.tls[0].hosts[0]: Invalid value: \"A\": a lowercase RFC 1123 subdomain..." },
    { N "Ingress", NULL, PATHS("{'path':'/','pathType':'','backend':{}}"),
      "[spec.rules[0].http.paths[0].pathType: Unsupported value: \"\": supported values: \"Exact\", "
      "\"ImplementationSpecific\", \"Prefix\", spec.rules[0].http.paths[0].backend: Invalid value: "
      "\"\": resource or service backend is required]" },
    { N "Ingress", NULL, DEFAULT(BACKEND), NULL },
    { N "Ingress", NULL, DEFAULT("{}"),
      "spec.defaultBackend: Invalid value: \"\": resource or service backend is required" },
    { N "Ingress", NULL, DEFAULT("{'service':{'name':'S','port':{'name':'a','number':1}}}"),
      "[spec.defaultBackend.service.name: Invalid value: \"S\": a lowercase RFC 1123 label must..." },
    { N "Ingress", NULL, DEFAULT("{'service':{'port':{}}}"),
      "[spec.defaultBackend.service.name: Required value, spec.defaultBackend: Required value: port "
      "name or number is required]" },
    { N "Ingress", NULL, DEFAULT("{'service':{'name':'s','port':{'number':70000}}}"),
      "spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, "
      "inclusive" },
    { N "Ingress", NULL, DEFAULT("{'resource':{'apiGroup':'A','kind':'','name':'a/b'}}"),
      "[spec.defaultBackend.resource.apiGroup: Invalid value: \"A\": a lowercase RFC 1123 "
      "subdomain..." },
    { N "Ingress", NULL,
      "{'metadata':{'name':'x','namespace':'d','annotations':{'kubernetes.io/ingress.class':'a'}},"
      "'spec':{'ingressClassName':'b','rules':[{}]}}",
      "annotations.kubernetes.io/ingress.class: Invalid value: \"a\": must match "
      "`ingressClassName` when both are specified" },
    { N "Ingress", NULL, SPEC("'ingressClassName':'A','rules':[{}]"),
      "spec.ingressClassName: Invalid value: \"A\": a lowercase RFC 1123 subdomain..." },
    { N "Ingress", PATH("/", "Prefix"),
      "{" META ",'status':{'loadBalancer':{'ingress':[{'ip':'x'},{'hostname':'1.2.3.4'}]}}}",
      "[status.loadBalancer.ingress[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. "
      "10.9.8.7 or 2001:db8::ffff), status.loadBalancer.ingress[1].hostname: Invalid value: "
      "\"1.2.3.4\": must be a DNS name, not an IP address]",
      true },
    { N "Ingress", PATH("/", "Prefix"),
      "{" META ",'status':{'loadBalancer':{'ingress':[{'ip':'10.0.0.1'},{'hostname':'a.b'}]}}}",
      NULL, true },
    { N "Ingress", PATH("/", "Prefix"),
      "{" META ",'status':{'loadBalancer':{'ingress':[{'hostname':'A'}]}}}",
      "status.loadBalancer.ingress[0].hostname: Invalid value: \"A\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      true },
    { N "Ingress", NULL, SPEC("'rules':[{}],'tls':[{'hosts':['a.b','*.c.d'],'secretName':'s'}]"),
      NULL },
    { N "Ingress", NULL, DEFAULT("{'resource':{'apiGroup':'a.b','kind':'K','name':'n'}}"), NULL },
    { N "IngressClass", NULL, SPEC("'controller':'a.b/" TIMES_64("xxxx") "'"),
      "spec.controller: Too long: may not be more than 250 bytes" },
    { N "IngressClass", NULL, PARAMS(",'apiGroup':'a.b'"), NULL },
    { N "IngressClass", NULL, PARAMS(",'scope':''"),
      "spec.parameters.scope: Unsupported value: \"\": supported values: \"Cluster\", \"Namespace\"" },
    { N "IngressClass", NULL, PARAMS(""), NULL },
    { N "IngressClass", NULL, SPEC("'controller':''"), "spec.controller: Required value" },
    { N "IngressClass", NULL, SPEC("'controller':'a/b c'"),
      "spec.controller: Invalid value: \"b c\": Invalid path (regex used for validation is "
      "'[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')" },
    { N "IngressClass", NULL, PARAMS(",'scope':'x'"),
      "spec.parameters.scope: Unsupported value: \"x\": supported values: \"Cluster\", "
      "\"Namespace\"" },
    { N "IngressClass", NULL, PARAMS(",'scope':'Namespace'"),
      "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'" },
    { N "IngressClass", NULL, PARAMS(",'namespace':'d'"),
      "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'" },
    { N "IngressClass", SPEC("'controller':'a.b/c'"), SPEC("'controller':'a.b/d'"),
      "spec.controller: Invalid value: \"a.b/d\": field is immutable" },
    { N "NetworkPolicy", NULL, FROM("{'podSelector':{}}"), NULL },
    { N "NetworkPolicy", NULL, SPEC("'podSelector':{'matchLabels':{'a':'/'}}"),
      "spec.podSelector.matchLabels: Invalid value: \"/\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')" },
    { N "NetworkPolicy", NULL, FROM("{}"),
      "spec.ingress[0].from[0]: Required value: must specify a peer" },
    { N "NetworkPolicy", NULL, FROM("{'podSelector':{},'ipBlock':{'cidr':'10.0.0.0/8'}}"),
      "spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer" },
    { N "NetworkPolicy", NULL, FROM("{'ipBlock':{'cidr':'10.0.0.0/8','except':['10.1.0.0/16']}}"),
      NULL },
    { N "NetworkPolicy", NULL, FROM("{'ipBlock':{'cidr':'10.0.0.0/8','except':['11.1.0.0/16']}}"),
      "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"11.1.0.0/16\": must be a strict "
      "subset of `cidr`" },
    { N "NetworkPolicy", NULL, FROM("{'ipBlock':{}}"),
      "spec.ingress[0].from[0].ipBlock.cidr: Required value" },
    { N "NetworkPolicy", NULL, FROM("{'ipBlock':{'cidr':'x'}}"),
      "spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"x\": must be a valid CIDR value..." },
    { N "NetworkPolicy", NULL, PORTS("{'port':80,'endPort':90},{'port':'http'}"), NULL },
    { N "NetworkPolicy", NULL, PORTS("{'port':80,'endPort':70}"),
      "spec.ingress[0].ports[0].endPort: Invalid value: 80: must be greater than or equal to "
      "`port`" },
    { N "NetworkPolicy", NULL, PORTS("{'endPort':70},{'port':'a','endPort':70}"),
      "[spec.ingress[0].ports[0].endPort: Invalid value: 70: may not be specified when `port` is "
      "not specified, spec.ingress[0].ports[1].endPort: Invalid value: 70: may not be specified "
      "when `port` is non-numeric]" },
    { N "NetworkPolicy", NULL, PORTS("{'port':0,'protocol':'x'}"),
      "[spec.ingress[0].ports[0].protocol: Unsupported value: \"x\": supported values: \"TCP\", "
      "\"UDP\", \"SCTP\", spec.ingress[0].ports[0].port: Invalid value: 0: must be between 1 and "
      "65535, inclusive]" },
    { N "NetworkPolicy", NULL, SPEC("'podSelector':{},'policyTypes':['Ingress','x']"),
      "spec.policyTypes[1]: Unsupported value: \"x\": supported values: \"Ingress\", \"Egress\"" },
    { N "NetworkPolicy", NULL,
      SPEC("'podSelector':{},'policyTypes':['Ingress','Ingress','Egress']"),
      "spec.policyTypes: Invalid value: [\"Ingress\",\"Ingress\",\"Egress\"]: may not specify more "
      "than two policyTypes" },
    { N "IPAddress", NULL, SPEC("'parentRef':{'resource':'services','name':'s','namespace':'d'}"),
      NULL },
    { N "IPAddress", NULL, SPEC("'parentRef':{'group':'a.b','resource':'r','name':'s'}"), NULL },
    { N "IPAddress", NULL, SPEC("'parentRef':{'resource':'r','name':'s','namespace':'a/b'}"),
      "spec.parentRef.namespace: Invalid value: \"a/b\": may not contain '/'" },
    { N "IPAddress", NULL, SPEC(""), "spec.parentRef: Required value" },
    { N "IPAddress", NULL, SPEC("'parentRef':{'group':'A'}"),
      "[spec.parentRef.group: Invalid value: \"A\": a lowercase RFC 1123 subdomain..." },
    { N "IPAddress", SPEC("'parentRef':{'resource':'services','name':'s'}"),
      SPEC("'parentRef':{'resource':'services','name':'t'}"),
      "spec.parentRef: Invalid value: {\"Group\":\"\",\"Resource\":\"services\","
      "\"Namespace\":\"\",\"Name\":\"t\"}: field is immutable" },
    { N "ServiceCIDR", NULL, SPEC("'cidrs':['10.0.0.0/24','fd00::/112']"), NULL },
    { N "ServiceCIDR", NULL, SPEC(""), "spec.cidrs: Required value: at least one CIDR required" },
    { N "ServiceCIDR", NULL, SPEC("'cidrs':['10.0.0.0/24','10.1.0.0/24']"),
      "spec.cidrs: Invalid value: [\"10.0.0.0/24\",\"10.1.0.0/24\"]: may specify no more than one "
      "IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64" },
    { N "ServiceCIDR", SPEC("'cidrs':['10.0.0.0/24']"),
      SPEC("'cidrs':['10.0.0.0/24','fd00::/112']"), NULL },
    { N "ServiceCIDR", SPEC("'cidrs':['10.0.0.0/24']"), SPEC("'cidrs':['10.1.0.0/24']"),
      "spec.cidrs[0]: Invalid value: \"10.1.0.0/24\": field is immutable" },
    { N "ServiceCIDR", SPEC("'cidrs':['10.0.0.0/24','fd00::/112']"),
      SPEC("'cidrs':['10.0.0.0/24']"),
      "spec.cidrs: Invalid value: [\"10.0.0.0/24\"]: field is immutable" },
};

VALIDATION_TABLE(validation_network, networking, networking)
