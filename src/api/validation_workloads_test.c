/* What is refused and accepted of workloads and what scales them. */
#include "api/validation.h"

#include "api/validation_fixture.h"

static const struct
    validation_case
        of_apps
            [] = {
                { "apps/v1.Deployment",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}},'status':{'replicas':1,'updatedReplicas':1,'readyReplicas':1,'availableReplicas':1,'unavailableReplicas':1,'observedGeneration':1,'collisionCount':1,'terminatingReplicas':1}}",
                  NULL, true },
                { "apps/v1.Deployment",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}},'status':{'replicas':-1,'updatedReplicas':-1,'readyReplicas':-1,'availableReplicas':-1,'unavailableReplicas':-1,'observedGeneration':-1,'collisionCount':-1,'terminatingReplicas':-1}}",
                  "[status.observedGeneration: Invalid value: -1: must be greater than or equal to 0, status.replicas: Invalid value: -1: must be greater than or equal to 0, status.updatedReplicas: Invalid value: -1: must be greater than or equal to 0, status.readyReplicas: Invalid value: -1: must be greater than or equal to 0, status.availableReplicas: Invalid value: -1: must be greater than or equal to 0, status.unavailableReplicas: Invalid value: -1: must be greater than or equal to 0, status.terminatingReplicas: Invalid value: -1: must be greater than or equal to 0, status.collisionCount: Invalid value: -1: must be greater than or equal to 0]",
                  true },
                { "apps/v1.ReplicaSet",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}},'status':{'replicas':1,'fullyLabeledReplicas':1,'readyReplicas':1,'availableReplicas':1,'observedGeneration':1,'terminatingReplicas':1}}",
                  NULL, true },
                { "apps/v1.ReplicaSet",
                  "{" META ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}", "{" META ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}},'status':{'replicas':-1,'fullyLabeledReplicas':-1,'readyReplicas':-1,'availableReplicas':-1,'observedGeneration':-1,'terminatingReplicas':-1}}",
                  "[status.replicas: Invalid value: -1: must be greater than or equal to 0, status.fullyLabeledReplicas: Invalid value: -1: must be greater than or equal to 0, status.readyReplicas: Invalid value: -1: must be greater than or equal to 0, status.availableReplicas: Invalid value: -1: must be greater than or equal to 0, status.observedGeneration: Invalid value: -1: must be greater than or equal to 0, status.terminatingReplicas: Invalid value: -1: must be greater than or equal to 0]",
                  true },
                { "apps/v1.DaemonSet",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}},'status':{'currentNumberScheduled':1,'numberMisscheduled':1,'desiredNumberScheduled':1,'numberReady':1,'observedGeneration':1,'updatedNumberScheduled':1,'numberAvailable':1,'numberUnavailable':1,'collisionCount':1}}",
                  NULL, true },
                { "apps/v1.DaemonSet",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "{" META ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}},'status':{'currentNumberScheduled':-1,'numberMisscheduled':-1,'desiredNumberScheduled':-1,'numberReady':-1,'observedGeneration':-1,'updatedNumberScheduled':-1,'numberAvailable':-1,'numberUnavailable':-1,'collisionCount':-1}}", "[status.currentNumberScheduled: Invalid value: -1: must be greater than or equal to 0, status.numberMisscheduled: Invalid value: -1: must be greater than or equal to 0, status.desiredNumberScheduled: Invalid value: -1: must be greater than or equal to 0, status.numberReady: Invalid value: -1: must be greater than or equal to 0, status.observedGeneration: Invalid value: -1: must be greater than or equal to 0, status.updatedNumberScheduled: Invalid value: -1: must be greater than or equal to 0, status.numberAvailable: Invalid value: -1: must be greater than or equal to 0, status.numberUnavailable: Invalid value: -1: must be greater than or equal to 0, status.collisionCount: Invalid value: -1: must be greater than or equal to 0]",
                  true },
                { "apps/v1.StatefulSet",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}},'serviceName':'s','ordinals':{'start':1}}}",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}},'serviceName':'s','ordinals':{'start':1}},'status':{'observedGeneration':1,'replicas':1,'readyReplicas':1,'currentReplicas':1,'updatedReplicas':1,'availableReplicas':1,'collisionCount':1}}",
                  NULL, true },
                { "apps/v1.StatefulSet",
                  "{" META ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}},'serviceName':'s','ordinals':{'start':1}}}", "{" META ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}},'serviceName':'s','ordinals':{'start':1}},'status':{'observedGeneration':-1,'replicas':-1,'readyReplicas':-1,'currentReplicas':-1,'updatedReplicas':-1,'availableReplicas':-1,'collisionCount':-1}}", "[status.replicas: Invalid value: -1: must be greater than or equal to 0, status.readyReplicas: Invalid value: -1: must be greater than or equal to 0, status.currentReplicas: Invalid value: -1: must be greater than or equal to 0, status.updatedReplicas: Invalid value: -1: must be greater than or equal to 0, status.availableReplicas: Invalid value: -1: must be greater than or equal to 0, status.observedGeneration: Invalid value: -1: must be greater than or equal to 0, status.collisionCount: Invalid value: -1: must be greater than or equal to 0]",
                  true },
                { "core/v1.ReplicationController",
                  "{" META
                  ",'spec':{'selector':{'a':'b'},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "{" META
                  ",'spec':{'selector':{'a':'b'},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}},'status':{'replicas':1,'fullyLabeledReplicas':1,'readyReplicas':1,'availableReplicas':1,'observedGeneration':1}}",
                  NULL, true },
                { "core/v1.ReplicationController",
                  "{" META
                  ",'spec':{'selector':{'a':'b'},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "{" META
                  ",'spec':{'selector':{'a':'b'},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}},'status':{'replicas':-1,'fullyLabeledReplicas':-1,'readyReplicas':-1,'availableReplicas':-1,'observedGeneration':-1}}",
                  "[status.replicas: Invalid value: -1: must be greater than or equal to 0, status.fullyLabeledReplicas: Invalid value: -1: must be greater than or equal to 0, status.readyReplicas: Invalid value: -1: must be greater than or equal to 0, status.availableReplicas: Invalid value: -1: must be greater than or equal to 0, status.observedGeneration: Invalid value: -1: must be greater than or equal to 0]",
                  true },
                { "apps/v1.Deployment", NULL,
                  "{" META ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}},'replicas':-1,'minReadySeconds':-1,'revisionHistoryLimit':-1,'progressDeadlineSeconds':-1,'strategy':{'type':'x'}}}", "[spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.strategy: Unsupported value: {\"Type\":\"x\",\"RollingUpdate\":null}: supported values: \"Recreate\", \"RollingUpdate\", spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0, spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0, spec.progressDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0, spec.progressDeadlineSeconds: Invalid value: -1: must be greater than minReadySeconds]" },
                { "apps/v1.ReplicaSet", NULL,
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}},'replicas':-1,'minReadySeconds':-1}}",
                  "[spec.replicas: Invalid value: -1: must be greater than or equal to 0, spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0]" },
                { "apps/v1.ReplicaSet",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b','x':'y'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b','x':'y'}},'template':{'metadata':{'labels':{'a':'b','x':'y'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}}}}",
                  "spec.selector: Invalid value: {\"matchLabels\":{\"a\":\"b\",\"x\":\"y\"}}: field is immutable" },
                { "policy/v1.PodDisruptionBudget",
                  "{" META
                  ",'spec':{'minAvailable':1,'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'unhealthyPodEvictionPolicy':'AlwaysAllow'}}",
                  "{" META
                  ",'spec':{'minAvailable':1,'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'unhealthyPodEvictionPolicy':'AlwaysAllow'},'status':{'disruptionsAllowed':1,'currentHealthy':1,'desiredHealthy':1,'expectedPods':1}}",
                  NULL, true },
                { "policy/v1.PodDisruptionBudget",
                  "{" META
                  ",'spec':{'minAvailable':1,'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'unhealthyPodEvictionPolicy':'AlwaysAllow'}}",
                  "{" META ",'spec':{'minAvailable':1,'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'unhealthyPodEvictionPolicy':'AlwaysAllow'},'status':{'disruptionsAllowed':-1,'currentHealthy':-1,'desiredHealthy':-1,'expectedPods':-1}}", "[status.disruptionsAllowed: Invalid value: -1: must be greater than or equal to 0, status.currentHealthy: Invalid value: -1: must be greater than or equal to 0, status.desiredHealthy: Invalid value: -1: must be greater than or equal to 0, status.expectedPods: Invalid value: -1: must be greater than or equal to 0]",
                  true },
                { "apps/v1.StatefulSet", NULL,
                  "{" META
                  ",'spec':{'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}]}},'serviceName':'s','ordinals':{'start':1}}}",
                  NULL },
                { "policy/v1.PodDisruptionBudget", NULL,
                  "{" META
                  ",'spec':{'minAvailable':1,'selector':{'matchLabels':{'a':'b'},'matchExpressions':[{'key':'a','operator':'Exists'}]},'unhealthyPodEvictionPolicy':'AlwaysAllow'}}",
                  NULL },
            };

VALIDATION_TABLE(validation_workloads, apps, of_apps)

static const struct validation_case
    of_jobs[] = {
        { "batch/v1.Job", NULL,
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'activeDeadlineSeconds':1,'ttlSecondsAfterFinished':1,'completions':2,'completionMode':'Indexed','backoffLimitPerIndex':1,'maxFailedIndexes':1,'managedBy':'a.b/c','podFailurePolicy':{'rules':[{'action':'Ignore','onPodConditions':[{'type':'DisruptionTarget'}]},{'action':'FailJob','onExitCodes':{'operator':'In','values':[1]}}]},'successPolicy':{'rules':[{'succeededIndexes':'0-1','succeededCount':1}]}}}",
          NULL },
        { "batch/v1.Job", NULL,
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'completions':2,'completionMode':'Indexed','backoffLimitPerIndex':-1,'maxFailedIndexes':-1,'managedBy':'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/b'}}",
          "[spec.backoffLimitPerIndex: Invalid value: -1: must be greater than or equal to 0, spec.maxFailedIndexes: Invalid value: -1: must be greater than or equal to 0, spec.managedBy: Too long: may not be more than 63 bytes]" },
        { "batch/v1.Job", NULL,
          "{" META ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'podFailurePolicy':{'rules':[{'action':'FailJob','onExitCodes':{'operator':'x','values':[1]}},{'action':'FailJob','onExitCodes':{'operator':'','values':[1]}},{'action':'FailJob','onPodConditions':[{'type':''}]}]}}}", "[spec.podFailurePolicy.rules[0].onExitCodes.operator: Unsupported value: \"x\": supported values: \"In\", \"NotIn\", spec.podFailurePolicy.rules[1].onExitCodes.operator: Required value: valid values: [\"In\" \"NotIn\"], spec.podFailurePolicy.rules[2].onPodConditions[0].type: Invalid value: \"\": name part must be non-empty, spec.podFailurePolicy.rules[2].onPodConditions[0].type: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')]" },
        { "batch/v1.Job", NULL,
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'podFailurePolicy':{'rules':[{'action':'Ignore','onPodConditions':[{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'},{'type':'A'}]}]}}}",
          "spec.podFailurePolicy.rules[0].onPodConditions: Too many: 21: must have at most 20 items" },
        { "batch/v1.Job", NULL,
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'podFailurePolicy':{'rules':[{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]},{'action':'Ignore','onPodConditions':[{'type':'A'}]}]}}}",
          "spec.podFailurePolicy.rules: Too many: 21: must have at most 20 items" },
        { "batch/v1.Job", NULL,
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'completions':2,'completionMode':'Indexed','successPolicy':{'rules':[{'succeededCount':-1}]}}}",
          "spec.successPolicy.rules[0].succeededCount: Invalid value: -1: must be greater than or equal to 0" },
        { "batch/v1.Job", NULL,
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'completions':2,'completionMode':'Indexed','successPolicy':{'rules':[{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1},{'succeededCount':1}]}}}",
          "spec.successPolicy.rules: Too many: 21: must have at most 20 items" },
        { "batch/v1.Job",
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'completions':2,'completionMode':'Indexed','backoffLimitPerIndex':1,'managedBy':'a.b/c','podFailurePolicy':{'rules':[{'action':'Ignore','onPodConditions':[{'type':'B'}]}]},'successPolicy':{'rules':[{'succeededCount':2}]}}}",
          "{" META ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}},'completions':2,'completionMode':'Indexed','backoffLimitPerIndex':2,'managedBy':'a.b/d','podFailurePolicy':{'rules':[{'action':'Ignore','onPodConditions':[{'type':'A'}]}]},'successPolicy':{'rules':[{'succeededCount':1}]}}}", "[spec.podFailurePolicy: Invalid value: {\"Rules\":[{\"Action\":\"Ignore\",\"OnExitCodes\":null,\"OnPodConditions\":[{\"Type\":\"A\",\"Status\":\"True\"}]}]}: field is immutable, spec.backoffLimitPerIndex: Invalid value: 2: field is immutable, spec.managedBy: Invalid value: \"a.b/d\": field is immutable, spec.successPolicy: Invalid value: {\"Rules\":[{\"SucceededIndexes\":null,\"SucceededCount\":1}]}: field is immutable]" },
        { "batch/v1.Job",
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}}}}",
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}}},'status':{'active':1,'succeeded':1,'failed':1,'ready':1,'terminating':1}}",
          NULL, true },
        { "batch/v1.Job",
          "{" META ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}}}}", "{" META ",'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}}},'status':{'active':-1,'succeeded':-1,'failed':-1,'ready':-1,'terminating':-1}}", "[status.active: Invalid value: -1: must be greater than or equal to 0, status.succeeded: Invalid value: -1: must be greater than or equal to 0, status.failed: Invalid value: -1: must be greater than or equal to 0, status.ready: Invalid value: -1: must be greater than or equal to 0, status.terminating: Invalid value: -1: must be greater than or equal to 0, status.failed: Invalid value: -1: cannot decrease the failed counter, status.succeeded: Invalid value: -1: cannot decrease the succeeded counter]",
          true },
        { "batch/v1.Job",
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b','x':'y'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'a':'b'}}}}",
          "{" META
          ",'spec':{'template':{'metadata':{'labels':{'a':'b','x':'y'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}},'suspend':true,'manualSelector':true,'selector':{'matchLabels':{'x':'y'}}}}",
          "spec.selector: Invalid value: {\"matchLabels\":{\"x\":\"y\"}}: field is immutable" },
        { "batch/v1.CronJob", NULL,
          "{" META
          ",'spec':{'schedule':'* * * * *','startingDeadlineSeconds':1,'jobTemplate':{'spec':{'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c','image':'i:1'}],'restartPolicy':'Never'}}}}}}",
          NULL },
    };

VALIDATION_TABLE(validation_workloads, jobs, of_jobs)

static const struct validation_case scaled[] = {
    { "autoscaling/v1.HorizontalPodAutoscaler", NULL,
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3,'targetCPUUtilizationPercentage':50}}",
      NULL },
    { "autoscaling/v1.HorizontalPodAutoscaler", NULL,
      "{" META ",'spec':{'scaleTargetRef':{'kind':'','name':''},'maxReplicas':0,'minReplicas':-1}}",
      "[spec.minReplicas: Invalid value: -1: must be greater than or equal to 1, spec.maxReplicas: Required value: must be set and greater than 0, spec.scaleTargetRef.kind: Required value, spec.scaleTargetRef.name: Required value, spec.scaleTargetRef.apiVersion: Invalid value: \"\": apiVersion must specify API group]" },
    { "autoscaling/v1.HorizontalPodAutoscaler",
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3}}",
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3},'status':{'currentReplicas':1,'desiredReplicas':1}}",
      NULL, true },
    { "autoscaling/v1.HorizontalPodAutoscaler",
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3}}",
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3},'status':{'currentReplicas':-1,'desiredReplicas':-1}}",
      "[status.currentReplicas: Invalid value: -1: must be greater than or equal to 0, status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0]",
      true },
    { "autoscaling/v2.HorizontalPodAutoscaler",
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3}}",
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3},'status':{'currentReplicas':1,'desiredReplicas':1}}",
      NULL, true },
    { "autoscaling/v2.HorizontalPodAutoscaler",
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3}}",
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3},'status':{'currentReplicas':-1,'desiredReplicas':-1}}",
      "[status.currentReplicas: Invalid value: -1: must be greater than or equal to 0, status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0]",
      true },
    { "autoscaling/v2.HorizontalPodAutoscaler", NULL,
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3,'metrics':[{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization','averageUtilization':50}}},{'type':'Pods','pods':{'metric':{'name':'m','selector':{'matchLabels':{'a':'b'}}},'target':{'type':'AverageValue','averageValue':'1'}}},{'type':'Object','object':{'describedObject':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'metric':{'name':'m'},'target':{'type':'Value','value':'1'}}},{'type':'External','external':{'metric':{'name':'m'},'target':{'type':'Value','value':'1'}}},{'type':'ContainerResource','containerResource':{'name':'cpu','container':'c','target':{'type':'Utilization','averageUtilization':50}}}]}}",
      NULL },
    { "autoscaling/v2.HorizontalPodAutoscaler", NULL,
      "{" META
      ",'spec':{'scaleTargetRef':{'apiVersion':'apps/v1','kind':'Deployment','name':'d'},'maxReplicas':3,'metrics':[{'type':'ContainerResource','containerResource':{'name':'','container':'A_','target':{'type':'Value'}}},{'type':'Object','object':{'describedObject':{'kind':'','name':''},'metric':{'name':'a/b'},'target':{'type':'Value'}}},{'type':'Resource','resource':{'name':'cpu','target':{'type':'Utilization'}}}]}}",
      "[spec.metrics[0].containerResource.name: Required value: must specify a resource name, spec.metrics[0].containerResource.container: Invalid value: \"A_\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), spec.metrics[0].containerResource.target.averageUtilization: Required value: must set either a target raw value or a target utilization, spec.metrics[1].object.describedObject.kind: Required value, spec.metrics[1].object.describedObject.name: Required value, spec.metrics[1].object.metric.name: Invalid value: \"a/b\": may not contain '/', spec.metrics[1].object.target.averageValue: Required value: must set either a target value or averageValue, spec.metrics[2].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization]" },
    { "autoscaling/v1.Scale", NULL, "{" META ",'spec':{'replicas':1}}", NULL },
    { "autoscaling/v1.Scale", NULL, "{" META ",'spec':{'replicas':-1}}",
      "spec.replicas: Invalid value: -1: must be greater than or equal to 0" },
};

VALIDATION_TABLE(validation_workloads, autoscalers, scaled)
