/* What is refused and accepted of the rest of the core group. */
#include "api/validation.h"

#include "api/validation_fixture.h"

static const struct validation_case
    of_core
        [] = {
            { "core/v1.Service", NULL,
              "{" META
              ",'spec':{'ports':[{'port':80,'appProtocol':'a/b'}],'selector':{'a':'b'},'trafficDistribution':'PreferSameZone','clusterIP':'10.96.88.1','clusterIPs':['10.96.88.1']}}",
              NULL },
            { "core/v1.Service", NULL,
              "{" META ",'spec':{'ports':[{'port':80,'name':'A_','protocol':'x','appProtocol':'-','targetPort':0,'nodePort':30001},{'port':80,'name':'A_','protocol':'x','nodePort':30001}],'selector':{'-':'b'},'trafficDistribution':'x','internalTrafficPolicy':'x','sessionAffinity':'ClientIP','sessionAffinityConfig':{'clientIP':{'timeoutSeconds':0}},'externalIPs':['127.0.0.1'],'externalTrafficPolicy':'x','healthCheckNodePort':1,'allocateLoadBalancerNodePorts':true,'loadBalancerClass':'a'}}", "[spec.ports[0].name: Invalid value: \"A_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.ports[0].protocol: Unsupported value: \"x\": supported values: \"SCTP\", \"TCP\", \"UDP\", spec.ports[0].appProtocol: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.ports[1].name: Invalid value: \"A_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.ports[1].name: Duplicate value: \"A_\", spec.ports[1].protocol: Unsupported value: \"x\": supported values: \"SCTP\", \"TCP\", \"UDP\", spec.selector: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 0: must be greater than 0 and less than 86400, spec.externalIPs[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128), spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP', spec.ports[1].nodePort: Forbidden: may not be used when `type` is 'ClusterIP', spec.ports[1].nodePort: Duplicate value: 30001, spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"x\",\"AppProtocol\":null,\"Port\":80,\"TargetPort\":0,\"NodePort\":0}, spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer', spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer', spec.externalTrafficPolicy: Unsupported value: \"x\": supported values: \"Cluster\", \"Local\", spec.healthCheckNodePort: Invalid value: 1: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local', spec.internalTrafficPolicy: Unsupported value: \"x\": supported values: \"Cluster\", \"Local\", spec.trafficDistribution: Unsupported value: \"x\": supported values: \"PreferClose\", \"PreferSameZone\", \"PreferSameNode\"]" },
            { "core/v1.Service",
              "{" META
              ",'spec':{'type':'LoadBalancer','ports':[{'port':80,'name':'a'}],'clusterIP':'10.96.88.2'}}",
              "{" META
              ",'spec':{'type':'LoadBalancer','ports':[{'port':80,'name':'a'}],'clusterIP':'10.96.88.2'},'status':{'loadBalancer':{'ingress':[{'ip':'1.2.3.4','ipMode':'VIP'}]}}}",
              NULL, true },
            { "core/v1.Service",
              "{" META
              ",'spec':{'type':'LoadBalancer','ports':[{'port':80,'name':'a'}],'clusterIP':'10.96.88.2'}}",
              "{" META
              ",'spec':{'type':'LoadBalancer','ports':[{'port':80,'name':'a'}],'clusterIP':'10.96.88.2'},'status':{'loadBalancer':{'ingress':[{'ip':'x','ipMode':'y'},{'hostname':'1.2.3.4'}]}}}",
              "[status.loadBalancer.ingress[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff), status.loadBalancer.ingress[0].ipMode: Unsupported value: \"y\": supported values: \"Proxy\", \"VIP\", status.loadBalancer.ingress[1].hostname: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address]",
              true },
            { "core/v1.Service",
              "{" META ",'spec':{'ports':[{'port':80,'name':'a'}],'clusterIP':'10.96.88.3'}}",
              "{" META
              ",'spec':{'ports':[{'port':80,'name':'a'}],'clusterIP':'10.96.88.3'},'status':{'loadBalancer':{'ingress':[{'ip':'1.2.3.4','ipMode':'VIP'}]}}}",
              "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'",
              true },
            { "core/v1.Endpoints", NULL,
              "{" META
              ",'subsets':[{'addresses':[{'ip':'10.0.0.1','hostname':'h','nodeName':'n'}],'ports':[{'port':80,'appProtocol':'a'}]}]}",
              NULL },
            { "core/v1.Endpoints", NULL,
              "{" META
              ",'subsets':[{'addresses':[{'ip':'10.0.0.1','hostname':'A_','nodeName':'B_'}],'ports':[{'port':80,'name':'A_','protocol':'x','appProtocol':'-'}]}]}",
              "[subsets[0].addresses[0].hostname: Invalid value: \"A_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), subsets[0].addresses[0].nodeName: Invalid value: \"B_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*'), subsets[0].ports[0].name: Invalid value: \"A_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), subsets[0].ports[0].protocol: Unsupported value: \"x\": supported values: \"SCTP\", \"TCP\", \"UDP\", subsets[0].ports[0].appProtocol: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')]" },
            { "core/v1.Node", NULL,
              "{" META ",'spec':{'podCIDRs':['x'],'taints':[{'key':'-','value':'-'}]}}",
              "[metadata.taints[0].key: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'), metadata.taints[0].value: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?'), metadata.taints[0].effect: Required value, spec.podCIDRs[0]: Invalid value: \"x\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)]" },
            { "core/v1.ConfigMap", NULL, "{" META ",'binaryData':{'/':'eA=='}}",
              "binaryData[/]: Invalid value: \"/\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')" },
            { "core/v1.Secret", NULL, "{" META ",'data':{'/':'eA=='}}", "data[/]: Invalid value: \"/\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')" },
            { "core/v1.PersistentVolumeClaim", NULL,
              "{" META
              ",'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}},'volumeAttributesClassName':'v','dataSource':{'apiGroup':'snapshot.storage.k8s.io','kind':'VolumeSnapshot','name':'z'}}}",
              NULL },
            { "core/v1.PersistentVolumeClaim", NULL,
              "{" META
              ",'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}},'volumeAttributesClassName':'A_'}}",
              "spec.volumeAttributesClassName: Invalid value: \"A_\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')" },
            { "core/v1.PersistentVolumeClaim",
              "{" META
              ",'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}}}}",
              "{" META
              ",'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}}},'status':{'allocatedResources':{'storage':'1'}}}",
              NULL, true },
            { "core/v1.PersistentVolumeClaim",
              "{" META
              ",'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}}}}",
              "{" META
              ",'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1'}}},'status':{'allocatedResources':{'x':'1'},'allocatedResourceStatuses':{'storage':'x'}}}",
              "[status.allocatedResourceStatuses: Unsupported value: \"storage\": supported values: \"ControllerResizeInProgress\", \"ControllerResizeInfeasible\", \"NodeResizeInProgress\", \"NodeResizeInfeasible\", \"NodeResizePending\", status.allocatedResources: Unsupported value: \"x\": supported values: \"storage\"]",
              true },
            { "core/v1.Namespace", NULL, "{" META ",'spec':{'finalizers':['kubernetes']}}", NULL },
            { "core/v1.ResourceQuota", "{" META ",'spec':{'hard':{'pods':'1'}}}",
              "{" META
              ",'spec':{'hard':{'pods':'1'}},'status':{'hard':{'pods':'1'},'used':{'pods':'0'}}}",
              NULL, true },
            { "storage.k8s.io/v1.StorageClass", NULL,
              "{" META
              ",'provisioner':'a.b/c','allowedTopologies':[{'matchLabelExpressions':[{'key':'k','values':['v']}]}]}",
              NULL },
            { "storage.k8s.io/v1.StorageClass", NULL,
              "{" META
              ",'provisioner':'a.b/c','allowedTopologies':[{'matchLabelExpressions':[{'key':'','values':['v']}]}]}",
              "[allowedTopologies[0].matchLabelExpressions[0].key: Invalid value: \"\": name part must be non-empty, allowedTopologies[0].matchLabelExpressions[0].key: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')]" },
            { "storage.k8s.io/v1.StorageClass", NULL,
              "{" META
              ",'provisioner':'a.b/c','allowedTopologies':[{'matchLabelExpressions':[{'key':'-','values':['v']}]}]}",
              "allowedTopologies[0].matchLabelExpressions[0].key: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')" },
            { "core/v1.Pod", NULL, "{" META ",'spec':{'containers':[{'name':'c','image':'i:1'}],'securityContext':{'fsGroup':1,'fsGroupChangePolicy':'Always','runAsGroup':1,'seLinuxChangePolicy':'Recursive','supplementalGroupsPolicy':'Merge'},'hostname':'h','subdomain':'s','hostAliases':[{'ip':'1.2.3.4','hostnames':['a']}],'readinessGates':[{'conditionType':'a'}],'preemptionPolicy':'PreemptLowerPriority','runtimeClassName':'r','priorityClassName':'p','affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{'matchExpressions':[{'key':'k','operator':'In','values':['v']}],'matchFields':[{'key':'metadata.name','operator':'In','values':['v']}]}]},'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':1,'preference':{'matchExpressions':[{'key':'k','operator':'In','values':['v']}],'matchFields':[{'key':'metadata.name','operator':'In','values':['v']}]}}]},'podAffinity':{'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':1,'podAffinityTerm':{'topologyKey':'t','labelSelector':{}}}]},'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'labelSelector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'k','operator':'In','values':['v']}]},'namespaces':['n'],'topologyKey':'t','namespaceSelector':{'matchLabels':{'x':'y'}},'matchLabelKeys':['q'],'mismatchLabelKeys':['r']}]}},'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'z','whenUnsatisfiable':'DoNotSchedule','labelSelector':{'matchLabels':{'a':'b'}},'minDomains':2,'nodeAffinityPolicy':'Honor','nodeTaintsPolicy':'Ignore','matchLabelKeys':['l']}]}}",
              NULL },
            { "core/v1.Pod", NULL,
              "{" META
              ",'spec':{'containers':[{'name':'c','image':'i:1'}],'preemptionPolicy':'x','runtimeClassName':'A_','priorityClassName':'A_','overhead':{'x':'1'}}}",
              "[spec.priorityClassName: Invalid value: \"A_\": a lowercase..." },
            { "core/v1.Service", NULL,
              "{" META ",'spec':{'ports':[{'port':80,'targetPort':70000}]}}",
              "spec.ports[0].targetPort: Invalid value: 70000: must be between 1 and 65535, inclusive" },
            { "core/v1.Pod", NULL,
              "{" META
              ",'spec':{'containers':[{'name':'','image':'i:1','env':[{'name':'A','valueFrom':{'configMapKeyRef':{'name':'a','key':'/'}}},{'name':'A','valueFrom':{'secretKeyRef':{'name':'a','key':''}}}]}],'ephemeralContainers':[{'name':'e','image':'i','resizePolicy':[{'resourceName':'x','restartPolicy':'NotRequired'}]}],'volumes':[{'name':'v','secret':{'secretName':'s','items':[{'key':'k','path':'..a','mode':512}]}},{'name':'w','configMap':{'name':'s','items':[{'key':'k','path':'/a'}]}}]}}",
              "[spec.volumes[0].secret.items[0].path: Invalid value: \"..a\": must not start with '..', spec.volumes[0].secret.items[0].mode: Invalid value: 512: must be a number between 0 and 0777 (octal), both inclusive, spec.volumes[1].configMap.items[0].path: Invalid value: \"/a\": must be a relative path, spec.containers[0].name: Required value, spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Invalid value: \"/\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+'), spec.containers[0].env[1].valueFrom.secretKeyRef.key: Required value, spec.ephemeralContainers[0].resizePolicy: Unsupported value: \"x\": supported values: \"cpu\", \"memory\", spec.ephemeralContainers[0].resizePolicy: Forbidden: cannot be set for an Ephemeral Container, spec.ephemeralContainers: Forbidden: cannot be set on create]" },
        };

VALIDATION_TABLE(validation_core, all, of_core)
