#include "api/defaults.h"

#include <criterion/criterion.h>

#include "api/object_json.h"
#include "api/schema.h"
#include "api/schema_walk.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static struct object decode(struct arena *a, const char *type, const char *text)
{
    const struct schema_type *t = schema_walk_type(&schema_builtin, type);
    struct object o;
    struct err err = { 0 };
    char *p = arena_dup(a, text, strlen(text) + 1);

    for (char *c = p; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert(t, "no type %s", type);
    cr_assert_eq(object_json_decode(a, &schema_builtin, t, str_from_cstr(p), &o, NULL, &err), 0,
                 "%s: %s", text, err.text);
    return o;
}

static const struct {
    const char *type, *given, *want;
} cases[] = {
    { "core/v1.ConfigMap", "{'data':{'a':'1'}}", "{'data':{'a':'1'}}" },
    { "core/v1.PodSpec", "{}",
      "{'dnsPolicy':'ClusterFirst','restartPolicy':'Always','securityContext':{},"
      "'terminationGracePeriodSeconds':30,'schedulerName':'default-scheduler'}" },
    { "core/v1.PodSpec",
      "{'restartPolicy':'Never','terminationGracePeriodSeconds':0,'dnsPolicy':'Default',"
      "'schedulerName':'x','securityContext':{'runAsUser':1},'serviceAccount':'sa'}",
      "{'restartPolicy':'Never','terminationGracePeriodSeconds':0,'dnsPolicy':'Default',"
      "'schedulerName':'x','securityContext':{'runAsUser':1},'serviceAccount':'sa',"
      "'serviceAccountName':'sa'}" },
    { "core/v1.Container", "{'name':'a','image':'nginx','ports':[{'containerPort':80}]}",
      "{'name':'a','image':'nginx','ports':[{'containerPort':80,'protocol':'TCP'}],"
      "'terminationMessagePath':'/dev/termination-log','terminationMessagePolicy':'File',"
      "'imagePullPolicy':'Always'}" },
    { "core/v1.Container", "{'name':'a','image':'r:5000/nginx:1.2'}",
      "{'name':'a','image':'r:5000/nginx:1.2','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}" },
    { "core/v1.Container", "{'name':'a','image':'r:5000/nginx'}",
      "{'name':'a','image':'r:5000/nginx','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'Always'}" },
    { "core/v1.Container", "{'name':'a','image':'nginx@sha256:00'}",
      "{'name':'a','image':'nginx@sha256:00','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}" },
    { "core/v1.Container", "{'name':'a','image':'nginx:latest','imagePullPolicy':'Never'}",
      "{'name':'a','image':'nginx:latest','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'Never'}" },
    { "core/v1.Container", "{'name':'a','image':'UPPER_x!'}",
      "{'name':'a','image':'UPPER_x!','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}" },
    { "core/v1.Container", "{'name':'a','image':'A/b'}",
      "{'name':'a','image':'A/b','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'Always'}" },
    { "core/v1.Container", "{'name':'a','image':'a/B:latest'}",
      "{'name':'a','image':'a/B:latest','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}" },
    { "core/v1.Container", "{'name':'a','image':'a__b/c--d.e:latest'}",
      "{'name':'a','image':'a__b/c--d.e:latest','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'Always'}" },
    { "core/v1.Container", "{'name':'a','image':'a..b'}",
      "{'name':'a','image':'a..b','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}" },
    { "core/v1.Container", "{'name':'a','image':'-a'}",
      "{'name':'a','image':'-a','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}" },
    { "core/v1.Container", "{'name':'a','image':'localhost/a'}",
      "{'name':'a','image':'localhost/a','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'Always'}" },
    { "core/v1.Container", "{'name':'a','image':'.'}",
      "{'name':'a','image':'.','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}" },
    { "core/v1.EphemeralContainer", "{'name':'a','image':'nginx:1'}",
      "{'name':'a','image':'nginx:1','terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}" },
    { "core/v1.Probe", "{'httpGet':{'port':80}}",
      "{'httpGet':{'path':'/','port':80,'scheme':'HTTP'},'timeoutSeconds':1,'periodSeconds':10,"
      "'successThreshold':1,'failureThreshold':3}" },
    { "core/v1.Volume", "{'name':'v'}", "{'name':'v','emptyDir':{}}" },
    { "core/v1.Volume", "{'name':'v','configMap':{'name':'c'}}",
      "{'name':'v','configMap':{'name':'c','defaultMode':420}}" },
    { "core/v1.Volume", "{'name':'v','hostPath':{'path':'/x'}}",
      "{'name':'v','hostPath':{'path':'/x','type':''}}" },
    { "core/v1.Volume",
      "{'name':'v','projected':{'sources':[{'serviceAccountToken':{'path':'t'}},"
      "{'downwardAPI':{'items':[{'path':'p','fieldRef':{'fieldPath':'metadata.name'}}]}}]}}",
      "{'name':'v','projected':{'sources':[{'serviceAccountToken':{'expirationSeconds':3600,"
      "'path':'t'}},{'downwardAPI':{'items':[{'path':'p','fieldRef':{'apiVersion':'v1',"
      "'fieldPath':'metadata.name'}}]}}],'defaultMode':420}}" },
    { "core/v1.Pod",
      "{'spec':{'hostNetwork':true,'containers':[{'name':'a','image':'i:1',"
      "'ports':[{'containerPort':80}],'resources':{'limits':{'cpu':'1','memory':'1Gi'},"
      "'requests':{'cpu':'500m'}}}],'terminationGracePeriodSeconds':-1}}",
      "{'spec':{'hostNetwork':true,'containers':[{'name':'a','image':'i:1',"
      "'ports':[{'hostPort':80,'containerPort':80,'protocol':'TCP'}],"
      "'resources':{'limits':{'cpu':'1','memory':'1Gi'},"
      "'requests':{'cpu':'500m','memory':'1Gi'}},'terminationMessagePath':'/dev/termination-log',"
      "'terminationMessagePolicy':'File','imagePullPolicy':'IfNotPresent'}],"
      "'terminationGracePeriodSeconds':1,'dnsPolicy':'ClusterFirst','restartPolicy':'Always',"
      "'securityContext':{},'schedulerName':'default-scheduler','enableServiceLinks':true}}" },
    { "core/v1.PodStatus", "{'podIP':'10.0.0.1'}",
      "{'podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'}]}" },
    { "core/v1.Service", "{'spec':{'ports':[{'port':80}]}}",
      "{'spec':{'ports':[{'protocol':'TCP','port':80,'targetPort':80}],'type':'ClusterIP',"
      "'sessionAffinity':'None','internalTrafficPolicy':'Cluster'}}" },
    { "core/v1.Service",
      "{'spec':{'type':'LoadBalancer','sessionAffinity':'ClientIP'},"
      "'status':{'loadBalancer':{'ingress':[{'ip':'1.2.3.4'}]}}}",
      "{'spec':{'type':'LoadBalancer','sessionAffinity':'ClientIP',"
      "'sessionAffinityConfig':{'clientIP':{'timeoutSeconds':10800}},"
      "'externalTrafficPolicy':'Cluster','internalTrafficPolicy':'Cluster',"
      "'allocateLoadBalancerNodePorts':true},"
      "'status':{'loadBalancer':{'ingress':[{'ip':'1.2.3.4','ipMode':'VIP'}]}}}" },
    { "core/v1.Service", "{'spec':{'type':'ExternalName','externalName':'a.b'}}",
      "{'spec':{'type':'ExternalName','externalName':'a.b','sessionAffinity':'None'}}" },
    { "core/v1.Secret", "{'data':{'a':'MQ=='},'stringData':{'b':'x','a':'y'}}",
      "{'data':{'a':'eQ==','b':'eA=='},'type':'Opaque'}" },
    { "core/v1.Namespace", "{'metadata':{'name':'n'}}",
      "{'metadata':{'name':'n','labels':{'kubernetes.io/metadata.name':'n'}},"
      "'status':{'phase':'Active'}}" },
    { "core/v1.NodeStatus", "{'capacity':{'cpu':'4'}}",
      "{'capacity':{'cpu':'4'},'allocatable':{'cpu':'4'}}" },
    { "core/v1.LimitRangeItem", "{'type':'Container','max':{'cpu':'2'},'min':{'memory':'1Mi'}}",
      "{'type':'Container','max':{'cpu':'2'},'min':{'memory':'1Mi'},'default':{'cpu':'2'},"
      "'defaultRequest':{'cpu':'2','memory':'1Mi'}}" },
    { "core/v1.PersistentVolumeClaim", "{}",
      "{'spec':{'volumeMode':'Filesystem'},'status':{'phase':'Pending'}}" },
    { "core/v1.ReplicationControllerSpec", "{}", "{'replicas':1}" },
    { "apps/v1.DeploymentSpec", "{'strategy':{'type':'Recreate'},'replicas':0}",
      "{'replicas':0,'strategy':{'type':'Recreate'},'revisionHistoryLimit':10,"
      "'progressDeadlineSeconds':600,'template':{'spec':{'dnsPolicy':'ClusterFirst',"
      "'restartPolicy':'Always','securityContext':{},'terminationGracePeriodSeconds':30,"
      "'schedulerName':'default-scheduler'}}}" },
    { "apps/v1.DeploymentStrategy", "{}",
      "{'type':'RollingUpdate','rollingUpdate':{'maxUnavailable':'25%','maxSurge':'25%'}}" },
    { "apps/v1.DeploymentStrategy", "{'rollingUpdate':{'maxSurge':1}}",
      "{'type':'RollingUpdate','rollingUpdate':{'maxUnavailable':'25%','maxSurge':1}}" },
    { "apps/v1.DaemonSetUpdateStrategy", "{}",
      "{'type':'RollingUpdate','rollingUpdate':{'maxUnavailable':1,'maxSurge':0}}" },
    { "apps/v1.StatefulSetUpdateStrategy", "{}",
      "{'type':'RollingUpdate','rollingUpdate':{'partition':0}}" },
    { "apps/v1.StatefulSetUpdateStrategy", "{'type':'RollingUpdate'}", "{'type':'RollingUpdate'}" },
    { "autoscaling/v2.HorizontalPodAutoscaler", "{'spec':{'behavior':{}}}",
      "{'spec':{'minReplicas':1,'metrics':[{'type':'Resource','resource':{'name':'cpu',"
      "'target':{'type':'Utilization','averageUtilization':80}}}],'behavior':{'scaleUp':{"
      "'stabilizationWindowSeconds':0,'selectPolicy':'Max','policies':[{'type':'Pods','value':4,"
      "'periodSeconds':15},{'type':'Percent','value':100,'periodSeconds':15}]},"
      "'scaleDown':{'selectPolicy':'Max','policies':[{'type':'Percent','value':100,"
      "'periodSeconds':15}]}}}}" },
    { "networking.k8s.io/v1.NetworkPolicySpec", "{'egress':[{'ports':[{'port':53}]}]}",
      "{'egress':[{'ports':[{'protocol':'TCP','port':53}]}],"
      "'policyTypes':['Ingress','Egress']}" },
    { "discovery.k8s.io/v1.EndpointPort", "{}", "{'name':'','protocol':'TCP'}" },
    { "storage.k8s.io/v1.CSIDriverSpec", "{}",
      "{'attachRequired':true,'podInfoOnMount':false,'volumeLifecycleModes':['Persistent'],"
      "'storageCapacity':false,'fsGroupPolicy':'ReadWriteOnceWithFSType',"
      "'requiresRepublish':false,'seLinuxMount':false}" },
    { "rbac.authorization.k8s.io/v1.RoleBinding",
      "{'roleRef':{'kind':'Role','name':'r'},'subjects':[{'kind':'User','name':'u'},"
      "{'kind':'ServiceAccount','name':'s'}]}",
      "{'roleRef':{'apiGroup':'rbac.authorization.k8s.io','kind':'Role','name':'r'},"
      "'subjects':[{'kind':'User','apiGroup':'rbac.authorization.k8s.io','name':'u'},"
      "{'kind':'ServiceAccount','name':'s'}]}" },
    { "resource.k8s.io/v1.ExactDeviceRequest", "{}", "{'allocationMode':'ExactCount','count':1}" },
    { "resource.k8s.io/v1.ExactDeviceRequest", "{'allocationMode':'All'}",
      "{'allocationMode':'All'}" },
    { "batch/v1.CronJobSpec", "{'suspend':true}",
      "{'concurrencyPolicy':'Allow','suspend':true,'successfulJobsHistoryLimit':3,"
      "'failedJobsHistoryLimit':1,'jobTemplate':{'spec':{'template':{'spec':{'dnsPolicy':'ClusterFirst',"
      "'restartPolicy':'Always','securityContext':{},'terminationGracePeriodSeconds':30,"
      "'schedulerName':'default-scheduler'}}}}}" },
};

Test(defaults, fill_in_what_is_unset)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        CLEANUP(buf_done) struct buf have = { 0 }, want = { 0 };
        struct object o = decode(&a, cases[i].type, cases[i].given);

        object_default(&a, o);
        object_json_encode(&have, o, NULL);
        object_json_encode(&want, decode(&a, cases[i].type, cases[i].want), NULL);
        cr_expect_str_eq(buf_cstr(&have), buf_cstr(&want), "%s %s\nhave %s\nwant %s", cases[i].type,
                         cases[i].given, buf_cstr(&have), buf_cstr(&want));
    }
}

Test(defaults, a_second_run_changes_nothing)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        CLEANUP(buf_done) struct buf once = { 0 }, twice = { 0 };
        struct object o = decode(&a, cases[i].type, cases[i].given);

        object_default(&a, o);
        object_json_encode(&once, o, NULL);
        object_default(&a, o);
        object_json_encode(&twice, o, NULL);
        cr_expect_str_eq(buf_cstr(&once), buf_cstr(&twice), "%s", cases[i].type);
    }
}

Test(defaults, every_row_names_a_field)
{
    cr_expect_eq(defaults_unknown_rows(), 0);
}
