#include "api/validation_fixture.h"

#define S "'selector':{'matchLabels':{'a':'b'}}"
#define T(spec)                                                                                    \
    "'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{" CTR "}]" spec "}}"
#define ALWAYS    S "," T("")
#define NEVER     S "," T(",'restartPolicy':'Never'")
#define MAP(k, v) "{" META ",'" k "':" v "}"
#define LONG      "Invalid value: -1: must be greater than or equal to 0"

static const struct validation_case apps[] = {
    { "apps/v1.DaemonSet", NULL, SPEC(ALWAYS), NULL },
    { "apps/v1.DaemonSet", NULL, SPEC("'selector':{}," T("")),
      "spec.selector: Invalid value: {}: empty selector is invalid for daemonset" },
    { "apps/v1.DaemonSet", NULL, SPEC("'selector':{'matchLabels':{'a':'c'}}," T("")),
      "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match "
      "template `labels`" },
    { "apps/v1.DaemonSet", NULL, SPEC(T("")),
      "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match "
      "template `labels`" },
    { "apps/v1.DaemonSet", NULL, SPEC(NEVER),
      "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: "
      "\"Always\"" },
    { "apps/v1.DaemonSet", NULL, SPEC(S "," T(",'activeDeadlineSeconds':5")),
      "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is "
      "not Supported" },
    { "apps/v1.DaemonSet", NULL, SPEC("'minReadySeconds':-1,'revisionHistoryLimit':-1," ALWAYS),
      "[spec.minReadySeconds: " LONG ", spec.revisionHistoryLimit: " LONG "]" },
    { "apps/v1.DaemonSet", NULL, SPEC("'updateStrategy':{'type':'x'}," ALWAYS),
      "spec.updateStrategy: Unsupported value: {\"Type\":\"x\",\"RollingUpdate\":null}: supported values: \"RollingUpdate\", "
      "\"OnDelete\"" },
    { "apps/v1.DaemonSet", NULL,
      SPEC("'updateStrategy':{'rollingUpdate':{'maxUnavailable':1,'maxSurge':2}}," ALWAYS),
      "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 2: may not be set when "
      "maxUnavailable is non-zero" },
    { "apps/v1.DaemonSet", NULL,
      SPEC("'updateStrategy':{'rollingUpdate':{'maxUnavailable':0}}," ALWAYS),
      "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge "
      "is 0" },
    { "apps/v1.DaemonSet", NULL,
      SPEC("'updateStrategy':{'rollingUpdate':{'maxUnavailable':'101%'}}," ALWAYS),
      "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be "
      "greater than 100%" },
    { "apps/v1.DaemonSet", SPEC(ALWAYS),
      SPEC("'selector':{'matchExpressions':[{'key':'a','operator':'Exists'}]}," T("")),
      "spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"a\",\"operator\":"
      "\"Exists\"}]}: field is immutable" },
    { "apps/v1.DaemonSet", WITH_STATUS(""),
      WITH_STATUS("'numberReady':-1,'currentNumberScheduled':1"), "status.numberReady: " LONG,
      true },
    { "apps/v1.DaemonSet", WITH_STATUS("'collisionCount':2"), WITH_STATUS("'collisionCount':1"),
      "status.collisionCount: Invalid value: 1: cannot be decremented", true },
    { "apps/v1.StatefulSet", NULL, SPEC(ALWAYS), NULL },
    { "apps/v1.StatefulSet", NULL,
      SPEC(S ",'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{" CTR
             ",'volumeMounts':[{'name':'data','mountPath':'/d'}]}]}},'volumeClaimTemplates':[{"
             "'metadata':{'name':'data'},'spec':{'accessModes':['ReadWriteOnce'],'resources':{"
             "'requests':{'storage':'1Gi'}}}}]"),
      NULL },
    /* A claim template takes the place of a volume of its name. */
    { "apps/v1.StatefulSet", NULL,
      SPEC(S ",'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{" CTR
             ",'volumeMounts':[{'name':'data','mountPath':'/d'}]}],'volumes':[{'name':'data',"
             "'emptyDir':{}}]}},'volumeClaimTemplates':[{'metadata':{'name':'data'},'spec':{"
             "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}]"),
      NULL },
    { "apps/v1.StatefulSet", NULL, SPEC(T("")),
      "[spec.selector: Required value, spec.template.metadata.labels: Invalid value: "
      "{\"a\":\"b\"}: `selector` does not match template `labels`]" },
    { "apps/v1.StatefulSet", NULL, SPEC("'selector':{}," T("")),
      "spec.selector: Invalid value: {}: empty selector is invalid for statefulset" },
    { "apps/v1.StatefulSet", NULL, SPEC(NEVER),
      "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: "
      "\"Always\"" },
    { "apps/v1.StatefulSet", NULL, SPEC("'podManagementPolicy':'x'," ALWAYS),
      "spec.podManagementPolicy: Invalid value: \"x\": must be 'OrderedReady' or 'Parallel'" },
    { "apps/v1.StatefulSet", NULL, SPEC("'updateStrategy':{'type':'x'}," ALWAYS),
      "spec.updateStrategy: Invalid value: {\"Type\":\"x\",\"RollingUpdate\":null}: must be "
      "'RollingUpdate' or 'OnDelete'" },
    { "apps/v1.StatefulSet", NULL,
      SPEC("'updateStrategy':{'type':'OnDelete','rollingUpdate':{'partition':1}}," ALWAYS),
      "spec.updateStrategy.rollingUpdate: Invalid value: {\"Partition\":1,\"MaxUnavailable\":null}: only allowed for "
      "updateStrategy 'RollingUpdate'" },
    { "apps/v1.StatefulSet", NULL,
      SPEC("'updateStrategy':{'rollingUpdate':{'partition':-1,'maxUnavailable':0}}," ALWAYS),
      "spec.updateStrategy.rollingUpdate.partition: " LONG },
    { "apps/v1.StatefulSet", NULL,
      SPEC("'persistentVolumeClaimRetentionPolicy':{'whenDeleted':'x','whenScaled':'y'}," ALWAYS),
      "[spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: \"x\": supported "
      "values: \"Retain\", \"Delete\", spec.persistentVolumeClaimRetentionPolicy.whenScaled: "
      "Unsupported value: \"y\": supported values: \"Retain\", \"Delete\"]" },
    { "apps/v1.StatefulSet", NULL,
      SPEC("'replicas':-1,'minReadySeconds':-1,'ordinals':{'start':-1}," ALWAYS),
      "[spec.replicas: " LONG ", spec.minReadySeconds: " LONG ", spec.ordinals.start: " LONG "]" },
    { "apps/v1.StatefulSet", NULL, SPEC("'serviceName':'A'," ALWAYS),
      "spec.serviceName: Invalid value: \"A\": a lowercase RFC 1123 label..." },
    { "apps/v1.StatefulSet", SPEC(ALWAYS),
      SPEC("'replicas':5,'minReadySeconds':3,'updateStrategy':{'type':'OnDelete'}," ALWAYS), NULL },
    { "apps/v1.StatefulSet", SPEC(ALWAYS), SPEC("'serviceName':'s'," ALWAYS),
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
      "'template', 'updateStrategy', 'revisionHistoryLimit', "
      "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden" },
    { "apps/v1.StatefulSet", WITH_STATUS(""), WITH_STATUS("'replicas':1,'readyReplicas':2"),
      "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas", true },
    { "apps/v1.StatefulSet", WITH_STATUS(""), WITH_STATUS("'replicas':2,'readyReplicas':1"), NULL,
      true },
    { "apps/v1.Deployment", WITH_STATUS(""), WITH_STATUS("'replicas':2,'availableReplicas':2"),
      "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas", true },
    { "apps/v1.Deployment", WITH_STATUS(""), WITH_STATUS("'unavailableReplicas':-1"),
      "status.unavailableReplicas: " LONG, true },
    { "apps/v1.ReplicaSet", WITH_STATUS(""), WITH_STATUS("'replicas':1,'fullyLabeledReplicas':2"),
      "status.fullyLabeledReplicas: Invalid value: 2: cannot be greater than status.replicas",
      true },
    { "apps/v1.ControllerRevision", NULL, MAP("data", "{'a':1}"), NULL },
    { "apps/v1.ControllerRevision", NULL, "{" META "}", "data: Required value: data is mandatory" },
    { "apps/v1.ControllerRevision", NULL, "{" META ",'data':{},'revision':-1}", "revision: " LONG },
    { "apps/v1.ControllerRevision", MAP("data", "{'a':1}"), MAP("data", "{'a':2}"),
      "data: Invalid value: {\"a\":2}: field is immutable" },
    { "core/v1.ReplicationController", NULL, SPEC("'selector':{'a':'b'}," T("")), NULL },
    { "core/v1.ReplicationController", NULL, SPEC(T("")), NULL },
    { "core/v1.ReplicationController", NULL, "{" META "}",
      "[spec.selector: Required value, spec.template: Required value]" },
    { "core/v1.ReplicationController", NULL,
      SPEC("'replicas':-1,'minReadySeconds':-1,'selector':{'a':'c'}," T("")),
      "[spec.minReadySeconds: " LONG ", spec.replicas: " LONG ", spec.template.metadata.labels: "
      "Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`]" },
    { "core/v1.ReplicationController", WITH_STATUS(""), WITH_STATUS("'replicas':-1"),
      "[status.replicas: " LONG ", status.fully...", true },
};

VALIDATION_TABLE(validation_apps, all, apps)

#define JOB           "'manualSelector':true," S "," T(",'restartPolicy':'Never'")
#define CRONT         "'jobTemplate':{'spec':{" T(",'restartPolicy':'OnFailure'") "}}"
#define INDEXED(more) SPEC(JOB ",'completionMode':'Indexed','completions':3" more)

static const struct validation_case batch[] = {
    { "batch/v1.Job", NULL, SPEC(JOB), NULL },
    { "batch/v1.Job", NULL,
      SPEC(S ",'template':{'metadata':{'labels':{'a':'b','job-name':'y','controller-uid':'',"
             "'batch.kubernetes.io/controller-uid':'','batch.kubernetes.io/job-name':'x'}},'spec':{"
             "'restartPolicy':'Never','containers':[{" CTR "}]}}"),
      "[spec.template.metadata.labels[job-name]: Invalid value: {\"a\":\"b\","
      "\"batch.kubernetes.io/controller-uid\":\"\",\"batch.kubernetes.io/job-name\":\"x\","
      "\"controller-uid\":\"\",\"job-name\":\"y\"}: must be 'x', spec.selector: "
      "Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: `selector` not auto-generated]" },
    { "batch/v1.Job", NULL, SPEC("'manualSelector':true," T(",'restartPolicy':'Never'")),
      "[spec.selector: Required value..." },
    { "batch/v1.Job", NULL, SPEC("'manualSelector':true," ALWAYS),
      "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"" },
    { "batch/v1.Job", NULL,
      SPEC(JOB ",'parallelism':-1,'completions':-1,'activeDeadlineSeconds':-1,'backoffLimit':-1,"
               "'ttlSecondsAfterFinished':-1"),
      "[spec.parallelism: " LONG ", spec.completions: " LONG ", spec.activeDeadlineSeconds: " LONG
      ", spec.backoffLimit: " LONG ", spec.ttlSecondsAfterFinished: " LONG "]" },
    { "batch/v1.Job", NULL, SPEC(JOB ",'completionMode':'x'"),
      "spec.completionMode: Unsupported value: \"x\": supported values: \"NonIndexed\", "
      "\"Indexed\"" },
    { "batch/v1.Job", NULL, INDEXED(""), NULL },
    { "batch/v1.Job", NULL, SPEC(JOB ",'completionMode':'Indexed','parallelism':1"),
      "spec.completions: Required value: when completion mode is Indexed" },
    { "batch/v1.Job", NULL, INDEXED(",'parallelism':100001"),
      "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when "
      "completion mode is Indexed" },
    { "batch/v1.Job", NULL, INDEXED(",'backoffLimitPerIndex':1,'maxFailedIndexes':4"),
      "spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions" },
    { "batch/v1.Job", NULL, INDEXED(",'maxFailedIndexes':2"),
      "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified" },
    { "batch/v1.Job", NULL, SPEC(JOB ",'backoffLimitPerIndex':1"),
      "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode" },
    { "batch/v1.Job", NULL, SPEC(JOB ",'managedBy':'x'"),
      "spec.managedBy: Invalid value: \"x\": must be a domain-prefixed path (such as "
      "\"acme.io/foo\")" },
    { "batch/v1.Job", NULL, SPEC(JOB ",'managedBy':'acme.io/foo'"), NULL },
    { "batch/v1.Job", NULL, SPEC(JOB ",'podReplacementPolicy':'x'"),
      "spec.podReplacementPolicy: Unsupported value: \"x\": supported values: \"Failed\", "
      "\"TerminatingOrFailed\"" },
    { "batch/v1.Job", NULL,
      SPEC(JOB ",'podFailurePolicy':{'rules':[{'action':'FailJob','onExitCodes':{'operator':'In',"
               "'values':[1,2]}}]}"),
      NULL },
    { "batch/v1.Job", NULL,
      SPEC(JOB ",'podFailurePolicy':{'rules':[{'action':'x','onExitCodes':{'operator':'In',"
               "'containerName':'z','values':[2,0,2]}}]}"),
      "[spec.podFailurePolicy.rules[0].action: Unsupported value: \"x\": supported values: "
      "\"Count\", \"FailIndex\", \"FailJob\", \"Ignore\", "
      "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"z\": must be one "
      "of the container or initContainer names in the pod template, "
      "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for "
      "the In operator, spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 2, "
      "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,0,2]: must be "
      "ordered]" },
    { "batch/v1.Job", NULL, SPEC(JOB ",'podFailurePolicy':{'rules':[{'action':'Ignore'}]}"),
      "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and "
      "OnPodConditions is required" },
    { "batch/v1.Job", NULL,
      SPEC(JOB ",'podFailurePolicy':{'rules':[{'action':'Ignore','onPodConditions':[{'type':'/',"
               "'status':'x'}]}]}"),
      "[spec.podFailurePolicy.rules[0].onPodConditions[0].type: Invalid value: \"/\": prefix..." },
    { "batch/v1.Job", NULL, INDEXED(",'successPolicy':{'rules':[{'succeededCount':2}]}"), NULL },
    { "batch/v1.Job", NULL, INDEXED(",'successPolicy':{'rules':[{'succeededCount':4}]}"),
      "spec.successPolicy.rules[0].succeededCount: Invalid value: 4: must be less than or equal to "
      "3 (the number of specified completions)" },
    { "batch/v1.Job", NULL, INDEXED(",'successPolicy':{'rules':[{}]}"),
      "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or "
      "succeededIndexes must be specified" },
    { "batch/v1.Job", NULL, INDEXED(",'successPolicy':{'rules':[]}"),
      "spec.successPolicy.rules: Required value: at least one rules must be specified when the "
      "successPolicy is specified" },
    { "batch/v1.Job", NULL, SPEC(JOB ",'successPolicy':{'rules':[{'succeededCount':1}]}"),
      "spec.successPolicy: Invalid value: {\"Rules\":[{\"SucceededIndexes\":null,\"SucceededCount\":1}]}: requires indexed "
      "completion mode" },
    { "batch/v1.Job", SPEC(JOB), SPEC(JOB ",'parallelism':3,'completions':1,'suspend':true"),
      NULL },
    { "batch/v1.Job", SPEC(JOB), SPEC(JOB ",'completions':3"),
      "spec.completions: Invalid value: 3: field is immutable" },
    { "batch/v1.Job", INDEXED(",'parallelism':3"),
      SPEC(JOB ",'completionMode':'Indexed','completions':4,'parallelism':4"), NULL },
    { "batch/v1.Job", INDEXED(",'parallelism':3"),
      SPEC(JOB ",'completionMode':'Indexed','completions':4,'parallelism':3"),
      "spec.completions: Invalid value: 4: can only be modified in tandem with spec.parallelism" },
    { "batch/v1.Job", SPEC(JOB),
      SPEC("'manualSelector':true," S "," T(",'restartPolicy':'Never','nodeSelector':{'x':'y'}")),
      "spec.template: Invalid value: {\"labels\"..." },
    { "batch/v1.Job", SPEC(JOB ",'suspend':true"),
      SPEC("'manualSelector':true,'suspend':true," S
           "," T(",'restartPolicy':'Never','nodeSelector':{'x':'y'}")),
      NULL },
    { "batch/v1.Job", SPEC(JOB), SPEC(JOB ",'completionMode':'Indexed'"),
      "spec.completionMode: Invalid value: \"Indexed\": field is immutable" },
    { "batch/v1.Job", WITH_STATUS(""), WITH_STATUS("'active':-1,'ready':0"),
      "[status.active: " LONG ", status.ready: Invalid value: 0: cannot set more ready pods than "
      "active]",
      true },
    { "batch/v1.Job", WITH_STATUS(""),
      WITH_STATUS(
          "'conditions':[{'type':'Complete','status':'True'},{'type':'Failed','status':'True'}]"),
      "[status.conditions: Invalid value: cannot set Complete=True and Failed=true conditions...",
      true },
    { "batch/v1.Job", WITH_STATUS("'failed':2"), WITH_STATUS("'failed':1"),
      "status.failed: Invalid value: 1: cannot decrease the failed counter", true },
    { "batch/v1.Job", WITH_STATUS("'startTime':'2026-01-01T00:00:00Z'"),
      WITH_STATUS("'startTime':'2026-01-01T00:00:00Z','completionTime':'2026-01-01T00:00:01Z',"
                  "'conditions':[{'type':'SuccessCriteriaMet','status':'True'},{'type':'Complete',"
                  "'status':'True'}]"),
      NULL, true },
    { "batch/v1.CronJob", NULL, SPEC("'schedule':'*/5 * * * *'," CRONT), NULL },
    { "batch/v1.CronJob", NULL, SPEC(CRONT), "spec.schedule: Required value" },
    { "batch/v1.CronJob", NULL, SPEC("'schedule':'x'," CRONT),
      "spec.schedule: Invalid value: \"x\": expected exactly 5 fields, found 1: [x]" },
    { "batch/v1.CronJob", NULL, SPEC("'schedule':'TZ=UTC * * * * *'," CRONT),
      "spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in schedule, "
      "use timeZone field instead" },
    { "batch/v1.CronJob", NULL, SPEC("'schedule':'@daily','timeZone':'UTC'," CRONT), NULL },
    { "batch/v1.CronJob", NULL, SPEC("'schedule':'@daily','timeZone':'../x'," CRONT),
      "spec.timeZone: Invalid value: \"../x\": unknown time zone ../x" },
    { "batch/v1.CronJob", NULL, SPEC("'schedule':'@daily','timeZone':''," CRONT),
      "spec.timeZone: Invalid value: \"\": timeZone must be nil or non-empty string" },
    { "batch/v1.CronJob", NULL,
      SPEC("'schedule':'@daily','concurrencyPolicy':'x','startingDeadlineSeconds':-1,"
           "'successfulJobsHistoryLimit':-1,'failedJobsHistoryLimit':-1," CRONT),
      "[spec.startingDeadlineSeconds: " LONG ", spec.concurrencyPolicy: Unsupported value: \"x\": "
      "supported values: \"Allow\", \"Forbid\", \"Replace\", spec.successfulJobsHistoryLimit: " LONG
      ", spec.failedJobsHistoryLimit: " LONG "]" },
    { "batch/v1.CronJob", NULL,
      SPEC("'schedule':'@daily','jobTemplate':{'spec':{'manualSelector':true," NEVER "}}"),
      "[spec.jobTemplate.spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\"}}: "
      "`selector` will be auto-generated, spec.jobTemplate.spec.manualSelector: Unsupported value: "
      "true: supported values: \"nil\", \"false\"]" },
    { "batch/v1.CronJob", NULL,
      "{'metadata':{'name':'a2345678901234567890123456789012345678901234567890123',"
      "'namespace':'d'},'spec':{'schedule':'@daily'," CRONT "}}",
      "metadata.name: Invalid value: \"a2345678901234567890123456789012345678901234567890123\": "
      "must be no more than 52 characters" },
};

VALIDATION_TABLE(validation_apps, batch, batch)

#define REF                                                                                        \
    "'scaleTargetRef':{'kind':'Deployment','name':'d','apiVersion':'apps/v1'},'maxReplicas':3"
#define M(m) SPEC(REF ",'metrics':[" m "]")
#define FROM_ZERO                                                                                  \
    "spec.metrics: Forbidden: must specify at least one Object or External metric to support "     \
    "scaling to zero replicas"
#define BEH(b) SPEC(REF ",'behavior':{'scaleUp':{" b "}}")
#define HPA    "autoscaling/v2.HorizontalPodAutoscaler"

static const struct validation_case autoscaling[] = {
    { HPA, NULL, SPEC(REF), NULL },
    { HPA, NULL, SPEC("'maxReplicas':1"),
      "[spec.scaleTargetRef.kind: Required value, spec.scaleTargetRef.name: Required value, "
      "spec.scaleTargetRef.apiVersion: Invalid value: \"\": apiVersion must specify API group]" },
    { HPA, NULL, SPEC("'scaleTargetRef':{'kind':'a/b','name':'d','apiVersion':'a/b/c'}"),
      "[spec.maxReplicas: Required value: must be set and greater than 0, spec.maxReplicas: Invalid "
      "value: 0: must be greater than or equal to `minReplicas`, spec.scaleTargetRef.kind: Invalid "
      "value: \"a/b\": may not contain '/', spec.scaleTargetRef.apiVersion: Invalid value: "
      "\"a/b/c\": unexpected GroupVersion string: a/b/c]" },
    { HPA, NULL, SPEC(REF ",'minReplicas':0"),
      "[spec.minReplicas: Invalid value: 0: must be greater than or equal to 1, " FROM_ZERO "]" },
    { HPA, NULL, BEH("'tolerance':'-100m'"),
      "spec.behavior.scaleUp.tolerance: Invalid value: \"-100m\": must be greater than or equal to "
      "0" },
    { HPA, NULL, BEH("'selectPolicy':''"),
      "spec.behavior.scaleUp.selectPolicy: Unsupported value: \"\": supported values: "
      "\"Disabled\", \"Max\", \"Min\"" },
    { HPA, NULL, SPEC(REF ",'minReplicas':4"),
      "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`" },
    { HPA, NULL,
      M("{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization',"
        "'averageUtilization':50}}}"),
      NULL },
    { HPA, NULL, M("{'type':'Resource','resource':{'target':{'type':'x','averageUtilization':0}}}"),
      "[spec.metrics[0].resource.name: Required value: must specify a resource name, "
      "spec.metrics[0].resource.target.type: Invalid value: \"x\": must be either Utilization, "
      "Value, or AverageValue, spec.metrics[0].resource.target.averageUtilization: Invalid value: "
      "0: must be greater than 0]" },
    { HPA, NULL, M("{'type':'x'}"),
      "spec.metrics[0].type: Unsupported value: \"x\": supported values: \"ContainerResource\", "
      "\"External\", \"Object\", \"Pods\", \"Resource\"" },
    { HPA, NULL, M("{'type':'Pods'}"),
      "spec.metrics[0].pods: Required value: must populate information for the given metric "
      "source" },
    { HPA, NULL,
      M("{'type':'Pods','pods':{'metric':{'name':'m'},'target':{'type':'AverageValue'}}}"),
      "spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target "
      "averageValue" },
    { HPA, NULL,
      M("{'type':'Object','object':{'metric':{},'describedObject':{'kind':'k','name':'n'},"
        "'target':{'type':'Value','value':'-1'}}}"),
      "[spec.metrics[0].object.metric.name: Required value: must specify a metric name, "
      "spec.metrics[0].object.target.value: Invalid value: \"-1\": must be positive]" },
    { HPA, NULL,
      M("{'type':'External','external':{'metric':{'name':'m'},'target':{'type':'Value',"
        "'value':'1','averageValue':'1'}}}"),
      "spec.metrics[0].external.target.value: Forbidden: may not set both a target value for "
      "metric and a per-pod target" },
    { HPA, NULL,
      M("{'type':'ContainerResource','containerResource':{'name':'cpu','target':{'type':"
        "'AverageValue','averageValue':'1'}}}"),
      "spec.metrics[0].containerResource.container: Required value: must specify a container" },
    { HPA, NULL, BEH("'selectPolicy':'x','stabilizationWindowSeconds':3601"),
      "[spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or "
      "equal to 3600, spec.behavior.scaleUp.selectPolicy: Unsupported value: \"x\": supported values: "
      "\"Disabled\", \"Max\", \"Min\"]" },
    { HPA, NULL, BEH("'policies':[{'type':'x','value':0,'periodSeconds':1801}]"),
      "[spec.behavior.scaleUp.policies[0].type: Unsupported value: \"x\": supported values: "
      "\"Percent\", \"Pods\", spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be "
      "greater than zero, spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: "
      "must be less than or equal to 1800]" },
    { HPA, NULL, BEH("'policies':[]"),
      "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy" },
    { HPA, WITH_STATUS(""), WITH_STATUS("'desiredReplicas':-1,'currentReplicas':-1"),
      "[status.currentReplicas: " LONG ", status.desiredReplicas: " LONG "]", true },
    { "autoscaling/v1.HorizontalPodAutoscaler", NULL, SPEC(REF), NULL },
    { "autoscaling/v1.HorizontalPodAutoscaler", NULL,
      SPEC(REF ",'minReplicas':0,'targetCPUUtilizationPercentage':0"),
      "[spec.minReplicas: Invalid value: 0: must be greater than or equal to 1, "
      "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than "
      "0, " FROM_ZERO "]" },
};

VALIDATION_TABLE(validation_apps, autoscaling, autoscaling)
