#include "api/validation.h"

#include "api/validation_fixture.h"

/* A Pod of one container with more members, or more members of the spec. */
#define POD(container, spec) "{" META ",'spec':{'containers':[{" CTR container "}]" spec "}}"
#define SVC(spec)            "{" META ",'spec':{" spec "}}"
#define DEPLOY(spec)         "{" META ",'spec':{" spec "}}"

static const struct validation_case pods[] = {
    { "core/v1.Pod", POD("", ""),
      "{" META ",'spec':{'containers':[{" CTR "}]},'status':{'containerStatuses':[{'name':'a',"
      "'resources':{'claims':[{'name':'r'}]}}]}}",
      NULL, true },
    { "core/v1.Pod", NULL, POD("", ""), NULL },
    { "core/v1.Pod", NULL, "{" META "}", "spec.containers: Required value" },
    { "core/v1.Pod", NULL, "{" META ",'spec':{'containers':[{'name':'A','image':'i:1'}]}}",
      "spec.containers[0].name: Invalid value: \"A\": a lowercase RFC 1123 label..." },
    { "core/v1.Pod", NULL, "{" META ",'spec':{'containers':[{'name':'a'}]}}",
      "spec.containers[0].image: Required value" },
    { "core/v1.Pod", NULL, "{" META ",'spec':{'containers':[{'name':'a','image':' i:1'}]}}",
      "spec.containers[0].image: Invalid value: \" i:1\": must not have leading or trailing "
      "whitespace" },
    { "core/v1.Pod", NULL, "{" META ",'spec':{'containers':[{" CTR "},{" CTR "}]}}",
      "spec.containers[1].name: Duplicate value: \"a\"" },
    { "core/v1.Pod", NULL,
      "{" META ",'spec':{'containers':[{" CTR "}],'initContainers':[{" CTR "}]}}",
      "spec.initContainers[0].name: Duplicate value: \"a\"" },
    { "core/v1.Pod", NULL, POD("", ",'restartPolicy':'Maybe'"),
      "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", "
      "\"OnFailure\", \"Never\"" },
    { "core/v1.Pod", NULL, POD("", ",'dnsPolicy':'x'"),
      "spec.dnsPolicy: Unsupported value: \"x\": supported values: \"ClusterFirstWithHostNet\", "
      "\"ClusterFirst\", \"Default\", \"None\"" },
    { "core/v1.Pod", NULL, POD("", ",'activeDeadlineSeconds':0"),
      "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, "
      "inclusive" },
    { "core/v1.Pod", NULL, POD("", ",'nodeSelector':{'-':'a'}"),
      "spec.nodeSelector: Invalid value: \"-\": name part must consist..." },
    { "core/v1.Pod", NULL, POD(",'imagePullPolicy':'x'", ""),
      "spec.containers[0].imagePullPolicy: Unsupported value: \"x\": supported values: "
      "\"Always\", \"IfNotPresent\", \"Never\"" },
    { "core/v1.Pod", NULL, POD(",'ports':[{'containerPort':80,'name':'http'}]", ""), NULL },
    { "core/v1.Pod", NULL, POD(",'ports':[{'containerPort':0}]", ""),
      "spec.containers[0].ports[0].containerPort: Required value" },
    { "core/v1.Pod", NULL, POD(",'ports':[{'containerPort':70000}]", ""),
      "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and "
      "65535, inclusive" },
    { "core/v1.Pod", NULL, POD(",'ports':[{'containerPort':80,'protocol':'X'}]", ""),
      "spec.containers[0].ports[0].protocol: Unsupported value: \"X\": supported values: "
      "\"SCTP\", \"TCP\", \"UDP\"" },
    { "core/v1.Pod", NULL,
      POD(",'ports':[{'containerPort':80,'name':'p'},{'containerPort':81,'name':'p'}]", ""),
      "spec.containers[0].ports[1].name: Duplicate value: \"p\"" },
    { "core/v1.Pod", NULL,
      POD(",'ports':[{'containerPort':80,'hostPort':9},{'containerPort':81,'hostPort':9}]", ""),
      "spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//9\"" },
    { "core/v1.Pod", NULL,
      POD(",'ports':[{'containerPort':80,'hostPort':81}]", ",'hostNetwork':true"),
      "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when "
      "`hostNetwork` is true" },
    { "core/v1.Pod", NULL, POD(",'env':[{'name':'A','value':'b'}]", ""), NULL },
    { "core/v1.Pod", NULL, POD(",'env':[{'value':'b'}]", ""),
      "spec.containers[0].env[0].name: Required value" },
    { "core/v1.Pod", NULL, POD(",'env':[{'name':'A=','value':'b'}]", ""),
      "spec.containers[0].env[0].name: Invalid value: \"A=\": a valid environment variable name "
      "must consist only of printable ASCII characters other than '='" },
    { "core/v1.Pod", NULL, POD(",'env':[{'name':'A','valueFrom':{}}]", ""),
      "spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: "
      "`fieldRef`..." },
    { "core/v1.Pod", NULL,
      POD(",'env':[{'name':'A','value':'x','valueFrom':{'fieldRef':{'fieldPath':'metadata.name'}}}]",
          ""),
      "spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified when `value` "
      "is not empty" },
    { "core/v1.Pod", NULL,
      POD(",'env':[{'name':'A','valueFrom':{'secretKeyRef':{'name':'s','key':'/'}}}]", ""),
      "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Invalid value: \"/\": a valid config "
      "key..." },
    { "core/v1.Pod", NULL, POD(",'envFrom':[{}]", ""),
      "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: `configMapRef` or "
      "`secretRef`" },
    { "core/v1.Pod", NULL,
      POD(",'volumeMounts':[{'name':'v','mountPath':'/x'}]", ",'volumes':[{'name':'v'}]"), NULL },
    { "core/v1.Pod", NULL, POD(",'volumeMounts':[{'name':'v','mountPath':'/x'}]", ""),
      "spec.containers[0].volumeMounts[0].name: Not found: \"v\"" },
    { "core/v1.Pod", NULL,
      POD(",'volumeMounts':[{'name':'v','mountPath':'/x'},{'name':'v','mountPath':'/x'}]",
          ",'volumes':[{'name':'v'}]"),
      "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique" },
    { "core/v1.Pod", NULL,
      POD(",'volumeMounts':[{'name':'v','mountPath':'/x','subPath':'../y'}]",
          ",'volumes':[{'name':'v'}]"),
      "spec.containers[0].volumeMounts.subPath: Invalid value: \"../y\": must not contain "
      "'..'" },
    { "core/v1.Pod", NULL, POD("", ",'volumes':[{'name':'v'},{'name':'v'}]"),
      "spec.volumes[1].name: Duplicate value: \"v\"" },
    { "core/v1.Pod", NULL,
      POD("", ",'volumes':["
              "{'name':'a'},{'name':'b'},{'name':'c'},{'name':'d'},{'name':'e'},{'name':'f'},"
              "{'name':'g'},{'name':'h'},{'name':'i'},{'name':'j'},{'name':'k'},{'name':'l'},"
              "{'name':'m'},{'name':'n'},{'name':'o'},{'name':'p'},{'name':'q'},{'name':'b'}]"),
      "spec.volumes[17].name: Duplicate value: \"b\"" },
    { "core/v1.Pod", NULL,
      POD("", ",'volumes':[{'name':'v','emptyDir':{},'hostPath':{'path':'/'}}]"),
      "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type" },
    { "core/v1.Pod", NULL, POD("", ",'volumes':[{'name':'v','hostPath':{'path':'/a/../b'}}]"),
      "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'" },
    { "core/v1.Pod", NULL, POD("", ",'volumes':[{'name':'v','secret':{'defaultMode':512}}]"),
      "[spec.volumes[0].secret.secretName: Required value, spec.volumes[0].secret.defaultMode: "
      "Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive]" },
    { "core/v1.Pod", NULL, POD(",'livenessProbe':{'tcpSocket':{'port':80}}", ""), NULL },
    { "core/v1.Pod", NULL, POD(",'livenessProbe':{}", ""),
      "spec.containers[0].livenessProbe: Required value: must specify a handler type" },
    { "core/v1.Pod", NULL,
      POD(",'readinessProbe':{'exec':{'command':['a']},'tcpSocket':{'port':80}}", ""),
      "spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler "
      "type" },
    { "core/v1.Pod", NULL,
      POD(",'livenessProbe':{'tcpSocket':{'port':80},'successThreshold':2}", ""),
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1" },
    { "core/v1.Pod", NULL, POD(",'livenessProbe':{'tcpSocket':{'port':0}}", ""),
      "spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and "
      "65535, inclusive" },
    { "core/v1.Pod", NULL, POD(",'resources':{'limits':{'cpu':'1'},'requests':{'cpu':'2'}}", ""),
      "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to "
      "cpu limit of 1" },
    { "core/v1.Pod", NULL, POD(",'resources':{'limits':{'cpu':'-1'}}", ""),
      "[spec.containers[0].resources.limits[cpu]: Invalid value: \"-1\": must be greater than or "
      "equal to 0..." },
    { "core/v1.Pod", NULL, POD(",'securityContext':{'runAsUser':-1}", ""),
      "spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 and "
      "2147483647, inclusive" },
    { "core/v1.Pod", NULL,
      POD(",'securityContext':{'privileged':true,'allowPrivilegeEscalation':false}", ""),
      "spec.containers[0].securityContext: Invalid value: {\"Capabilities\":null,"
      "\"Privileged\":true,\"SELinuxOptions\":null,\"WindowsOptions\":null,\"RunAsUser\":null,"
      "\"RunAsGroup\":null,\"RunAsNonRoot\":null,\"ReadOnlyRootFilesystem\":null,"
      "\"AllowPrivilegeEscalation\":false,\"ProcMount\":null,\"SeccompProfile\":null,"
      "\"AppArmorProfile\":null}: cannot set `allowPrivilegeEscalation` to false and "
      "`privileged` to true" },
    { "core/v1.Pod", NULL,
      POD("", ",'securityContext':{'sysctls':[{'name':'kernel.shm_rmid_forced','value':'1'},"
              "{'name':'net/ipv4.tcp-x_y','value':'1'},{'name':'a-and-b','value':'1'}]}"),
      "" },
    { "core/v1.Pod", NULL, POD("", ",'securityContext':{'sysctls':[{'name':'foo-','value':'1'}]}"),
      "spec.securityContext.sysctls[0].name: Invalid value: \"foo-\": must have at most 253 "
      "characters and match regex "
      "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$" },
    { "core/v1.Pod", NULL, POD("", ",'securityContext':{'sysctls':[{'name':'bar..','value':'1'}]}"),
      "spec.securityContext.sysctls[0].name: Invalid value: \"bar..\": must have at most 253 "
      "characters and match regex "
      "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$" },
    { "core/v1.Pod", NULL,
      POD("", ",'hostNetwork':true,'securityContext':{'sysctls':[{'name':'net.x','value':'1'},"
              "{'name':'kernel.sem','value':'1'}]}"),
      "spec.securityContext.sysctls[0].name: Invalid value: \"net.x\": may not be specified when "
      "'hostNetwork' is true" },
    { "core/v1.Pod", NULL,
      POD("", ",'hostIPC':true,'securityContext':{'sysctls':[{'name':'fs.mqueue.x','value':'1'},"
              "{'name':'net.x','value':'1'}]}"),
      "spec.securityContext.sysctls[0].name: Invalid value: \"fs.mqueue.x\": may not be specified "
      "when 'hostIPC' is true" },
    { "core/v1.Pod", NULL, POD("", ",'securityContext':{'seccompProfile':{'type':'Localhost'}}"),
      "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when "
      "seccomp type is Localhost" },
    { "core/v1.Pod", NULL, POD("", ",'tolerations':[{'operator':'Exists'}]"), NULL },
    { "core/v1.Pod", NULL, POD("", ",'tolerations':[{'value':'x'}]"),
      "spec.tolerations[0].operator: Invalid value: \"\": operator must be Exists when `key` is "
      "empty, which means \"match all values and all keys\"" },
    { "core/v1.Pod", NULL, POD("", ",'tolerations':[{'key':'a','effect':'x'}]"),
      "spec.tolerations[0].effect: Unsupported value: \"x\": supported values: \"NoSchedule\", "
      "\"PreferNoSchedule\", \"NoExecute\"" },
    { "core/v1.Pod", NULL,
      POD("", ",'affinity':{'podAntiAffinity':{'preferredDuringSchedulingIgnoredDuringExecution':"
              "[{'weight':0,'podAffinityTerm':{'topologyKey':'h'}}]}}"),
      "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: "
      "Invalid value: 0: must be in the range 1-100" },
    { "core/v1.Pod", NULL,
      POD("", ",'topologySpreadConstraints':[{'maxSkew':0,'topologyKey':'z',"
              "'whenUnsatisfiable':'DoNotSchedule'}]"),
      "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero" },
    { "core/v1.Pod", NULL, POD("", ",'ephemeralContainers':[{'name':'e','image':'i:1'}]"),
      "spec.ephemeralContainers: Forbidden: cannot be set on create" },
    { "core/v1.Pod", NULL,
      POD("", ",'initContainers':[{'name':'i','image':'i:1','livenessProbe':{'tcpSocket':{"
              "'port':1}}}]"),
      "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
      "restartPolicy=Always" },
    { "core/v1.Pod", NULL, POD("", ",'hostPID':true,'shareProcessNamespace':true"),
      "spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot "
      "both be enabled" },
    { "core/v1.Pod", NULL, POD("", ",'hostAliases':[{'ip':'x'}]"),
      "spec.hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or "
      "2001:db8::ffff)" },
    /* Updates. */
    { "core/v1.Pod", POD("", ""),
      "{" META ",'spec':{'containers':[{'name':'a','image':'j:2','imagePullPolicy':"
      "'IfNotPresent'}],'activeDeadlineSeconds':5,'tolerations':[{'key':'k'}]}}",
      NULL },
    { "core/v1.Pod", POD("", ""), POD(",'command':['x']", ""),
      "spec: Forbidden: pod updates may not change fields other than "
      "`spec.containers[*].image`,`spec.initContainers[*].image`..." },
    { "core/v1.Pod", POD("", ""),
      "{" META ",'spec':{'containers':[{" CTR "},{'name':'b','image':'i:1'}]}}",
      "spec.containers: Forbidden: pod updates may not add or remove containers" },
    { "core/v1.Pod", POD("", ",'tolerations':[{'key':'k'}]"), POD("", ""),
      "spec.tolerations: Forbidden: existing toleration can not be modified except its "
      "tolerationSeconds" },
    { "core/v1.Pod", POD("", ",'activeDeadlineSeconds':5"), POD("", ",'activeDeadlineSeconds':6"),
      "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous "
      "value" },
};

VALIDATION_TABLE(validation, pods, pods)

static const struct validation_case others[] = {
    { "core/v1.ConfigMap", NULL, "{" META ",'data':{'a':'1'},'binaryData':{'b':'MQ=='}}", NULL },
    { "core/v1.ConfigMap", NULL, "{" META ",'data':{'a/b':'1'}}",
      "data[a/b]: Invalid value: \"a/b\": a valid config key must consist..." },
    { "core/v1.ConfigMap", NULL, "{" META ",'data':{'a':'1'},'binaryData':{'a':'MQ=='}}",
      "data[a]: Invalid value: \"a\": duplicate of key present in binaryData" },
    { "core/v1.ConfigMap", "{" META ",'immutable':true,'data':{'a':'1'}}",
      "{" META ",'immutable':true,'data':{'a':'1'}}", NULL },
    { "core/v1.ConfigMap", "{" META ",'immutable':true,'data':{'a':'1'}}",
      "{" META ",'data':{'a':'2'}}",
      "[immutable: Forbidden: field is immutable when `immutable` is set, data: Forbidden: field "
      "is immutable when `immutable` is set]" },
    { "core/v1.Secret", NULL, "{" META ",'stringData':{'a':'1'}}", NULL },
    { "core/v1.Secret", NULL, "{" META ",'type':'kubernetes.io/tls'}",
      "[data[tls.crt]: Required value, data[tls.key]: Required value]" },
    { "core/v1.Secret", NULL,
      "{" META ",'type':'kubernetes.io/dockerconfigjson','stringData':{'.dockerconfigjson':'{'}}",
      "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": ..." },
    { "core/v1.Secret", NULL, "{" META ",'type':'kubernetes.io/basic-auth'}",
      "[data[username]: Required value, data[password]: Required value]" },
    { "core/v1.Secret", NULL, "{" META ",'type':'kubernetes.io/service-account-token'}",
      "metadata.annotations[kubernetes.io/service-account.name]: Required value" },
    { "core/v1.Secret", "{" META ",'type':'a'}", "{" META ",'type':'b'}",
      "type: Invalid value: \"b\": field is immutable" },
    { "core/v1.Secret", "{" META ",'immutable':true}",
      "{" META ",'immutable':true,"
      "'stringData':{'a':'1'}}",
      "data: Forbidden: field is immutable when `immutable` is set" },
    { "core/v1.ServiceAccount", NULL, "{" META "}", NULL },
    { "core/v1.Service", NULL, SVC("'ports':[{'port':80}]"), NULL },
    { "core/v1.Service", NULL, SVC("'type':'x','ports':[{'port':80}]"),
      "spec.type: Unsupported value: \"x\": supported values: \"ClusterIP\", \"ExternalName\", "
      "\"LoadBalancer\", \"NodePort\"" },
    { "core/v1.Service", NULL, SVC("'type':'NodePort'"), "spec.ports: Required value" },
    { "core/v1.Service", NULL, SVC("'clusterIP':'None','clusterIPs':['None']"), NULL },
    { "core/v1.Service", NULL, SVC("'ports':[{'port':0,'targetPort':1}]"),
      "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive" },
    { "core/v1.Service", NULL, SVC("'ports':[{'port':80},{'port':81,'name':'b'}]"),
      "spec.ports[0].name: Required value" },
    { "core/v1.Service", NULL, SVC("'ports':[{'port':80,'name':'a'},{'port':80,'name':'b'}]"),
      "spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"TCP\",\"AppProtocol\":null,"
      "\"Port\":80,\"TargetPort\":0,\"NodePort\":0}" },
    { "core/v1.Service", NULL, SVC("'ports':[{'port':80}],'sessionAffinity':'x'"),
      "spec.sessionAffinity: Unsupported value: \"x\": supported values: \"ClientIP\", \"None\"" },
    { "core/v1.Service", NULL, SVC("'type':'ExternalName'"), "spec.externalName: Required value" },
    { "core/v1.Service", NULL, SVC("'type':'ExternalName','externalName':'a.b.'"), NULL },
    { "core/v1.Service", NULL,
      SVC("'ports':[{'port':80}],'clusterIP':'10.0.0.300','clusterIPs':['10.0.0.300']"),
      "spec.clusterIPs[0]: Invalid value: \"10.0.0.300\": must be a valid IP address..." },
    { "core/v1.Service",
      SVC("'ports':[{'port':80}],'clusterIP':'10.0.0.1','clusterIPs':"
          "['10.0.0.1']"),
      SVC("'ports':[{'port':80}],'clusterIP':'10.0.0.2','clusterIPs':['10.0.0.2']"),
      "spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set" },
    { "core/v1.Service", NULL, SVC("'ports':[{'port':80}],'loadBalancerSourceRanges':['x']"),
      "[spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer', "
      "spec.LoadBalancerSourceRanges[0]: Invalid value: \"x\": must be a valid CIDR value..." },
    { "apps/v1.Deployment", NULL, DEPLOY(SELECTOR "," TEMPLATE), NULL },
    { "apps/v1.Deployment", NULL, DEPLOY(TEMPLATE),
      "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: "
      "{\"a\":\"b\"}: `selector` does not match template `labels`]" },
    { "apps/v1.Deployment", NULL, DEPLOY("'selector':{}," TEMPLATE),
      "spec.selector: Invalid value: {}: empty selector is invalid for deployment" },
    { "apps/v1.Deployment", NULL, DEPLOY("'selector':{'matchLabels':{'a':'c'}}," TEMPLATE),
      "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match "
      "template `labels`" },
    { "apps/v1.Deployment", NULL, DEPLOY("'replicas':-1," SELECTOR "," TEMPLATE),
      "spec.replicas: Invalid value: -1: must be greater than or equal to 0" },
    { "apps/v1.Deployment", NULL, DEPLOY("'strategy':{'type':'x'}," SELECTOR "," TEMPLATE),
      "spec.strategy: Unsupported value: {\"Type\":\"x\",\"RollingUpdate\":null}: supported values: \"Recreate\", "
      "\"RollingUpdate\"" },
    { "apps/v1.Deployment", NULL,
      DEPLOY("'strategy':{'type':'Recreate','rollingUpdate':{}}," SELECTOR "," TEMPLATE),
      "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is "
      "'Recreate'" },
    { "apps/v1.Deployment", NULL,
      DEPLOY("'strategy':{'rollingUpdate':{'maxUnavailable':0,'maxSurge':0}}," SELECTOR
             "," TEMPLATE),
      "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` "
      "is 0" },
    { "apps/v1.Deployment", NULL,
      DEPLOY("'strategy':{'rollingUpdate':{'maxSurge':'x'}}," SELECTOR "," TEMPLATE),
      "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"x\": a valid percent string..." },
    { "apps/v1.Deployment", NULL,
      DEPLOY("'progressDeadlineSeconds':5,'minReadySeconds':5," SELECTOR "," TEMPLATE),
      "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds" },
    { "apps/v1.Deployment", NULL,
      DEPLOY(SELECTOR ",'template':{'metadata':{'labels':{'a':'b'}},'spec':{'restartPolicy':"
                      "'Never','containers':[{" CTR "}]}}"),
      "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: "
      "\"Always\"" },
    { "apps/v1.Deployment", DEPLOY(SELECTOR "," TEMPLATE),
      DEPLOY("'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':"
             "'Exists'}]}," TEMPLATE),
      "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"},\"matchExpressions\":"
      "[{\"key\":\"a\",\"operator\":\"Exists\"}]}: field is immutable" },
    { "apps/v1.ReplicaSet", NULL, DEPLOY(SELECTOR "," TEMPLATE), NULL },
    { "apps/v1.ReplicaSet", NULL, DEPLOY(TEMPLATE),
      "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: "
      "{\"a\":\"b\"}: `selector` does not match template `labels`]" },
    { "apps/v1.ReplicaSet", NULL,
      DEPLOY("'selector':{'matchExpressions':[{'key':'a','operator':'In'}]}," TEMPLATE),
      "[spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` "
      "is 'In' or 'NotIn', spec.selector: Invalid value: "
      "{\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"In\"}]}: invalid label selector]" },
    { "core/v1.Node", NULL, "{" META ",'spec':{'taints':[{'key':'a','effect':'NoSchedule'}]}}",
      NULL },
    { "core/v1.Node", NULL, "{" META ",'spec':{'taints':[{'key':'a','effect':'x'}]}}",
      "metadata.taints[0].effect: Unsupported value: \"x\": supported values: \"NoSchedule\", "
      "\"PreferNoSchedule\", \"NoExecute\"" },
    { "core/v1.Node", "{" META ",'spec':{'podCIDR':'10.0.0.0/24'}}",
      "{" META ",'spec':{'podCIDR':'10.1.0.0/24'}}",
      "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid" },
    { "core/v1.Namespace", NULL, "{" META ",'spec':{'finalizers':['-']}}",
      "[spec.finalizers: Invalid value: \"-\": name part must consist of alphanumeric characters, "
      "'-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
      "'my.name',  or '123-abc', regex used for validation is "
      "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.finalizers: Invalid value: \"-\": name is "
      "neither a standard finalizer name nor is it fully qualified]" },
};

VALIDATION_TABLE(validation, other_kinds, others)

Test(validation, every_row_names_a_field)
{
    cr_expect_eq(validation_unknown_rules(), 0);
    cr_expect(validation_has_rules(&schema_builtin,
                                   schema_walk_type(&schema_builtin, "apps/v1.DaemonSet")));
}
