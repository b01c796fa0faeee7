/* Statuses of Jobs: what an update may say, and lists of indexes. */
#include "api/validation_fixture.h"

#define OF(more, status)                                                                               \
    "{" META ",'spec':{'manualSelector':true," SELECTOR ",'completions':9" more                        \
    ",'template':{'metadata':{'labels':{'a':'b'}},'spec':{'restartPolicy':'Never','containers':[{" CTR \
    "}]}}},'status':{" status "}}"
#define INDEXED(status)   OF(",'completionMode':'Indexed','backoffLimitPerIndex':1", status)
#define PLAIN(status)     OF("", status)
#define SUSPENDED(status) OF(",'suspend':true", status)
#define IS(type)          "{'type':'" type "','status':'True'}"
#define T1                "'startTime':'2024-01-01T00:00:00Z'"
#define T2                "'startTime':'2024-01-02T00:00:00Z'"
#define E0                "'completionTime':'2023-01-01T00:00:00Z'"
#define E1                "'completionTime':'2024-02-01T00:00:00Z'"
#define COMPLETE          "'conditions':[" IS("SuccessCriteriaMet") "," IS("Complete") "]"
#define FAILED            "'conditions':[" IS("FailureTarget") "," IS("Failed") "]"
#define JOB               "batch/v1.Job"

static const struct validation_case statuses[] = {
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'0,2-4,8','failedIndexes':'1,5-7'"), NULL,
      true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'','failedIndexes':''"), NULL, true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'a'"),
      "status.completedIndexes: Invalid value: \"a\": error parsing completedIndexes: cannot "
      "convert string to integer for index: \"a\"",
      true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'1,'"),
      "status.completedIndexes: Invalid value: \"1,\": error parsing completedIndexes: cannot "
      "convert string to integer for index: \"\"",
      true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'9'"),
      "status.completedIndexes: Invalid value: \"9\": error parsing completedIndexes: too "
      "large index: \"9\"",
      true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'1-9'"),
      "status.completedIndexes: Invalid value: \"1-9\": error parsing completedIndexes: too "
      "large index: \"9\"",
      true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'3-3'"),
      "status.completedIndexes: Invalid value: \"3-3\": error parsing completedIndexes: "
      "non-increasing order, previous: 3, current: 3",
      true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'1-3,3'"),
      "status.completedIndexes: Invalid value: \"1-3,3\": error parsing completedIndexes: "
      "non-increasing order, previous: 3, current: 3",
      true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'1-2-3'"),
      "status.completedIndexes: Invalid value: \"1-2-3\": error parsing completedIndexes: the "
      "fragment \"1-2-3\" violates the requirement that an index interval can have at most two "
      "parts separated by '-'",
      true },
    { JOB, INDEXED("'completedIndexes':'99'"), INDEXED("'completedIndexes':'99','failed':1"), NULL,
      true },
    { JOB, INDEXED(""), INDEXED("'completedIndexes':'0-3,x','failedIndexes':'y,2-5'"),
      "[status.completedIndexes: Invalid value: \"0-3,x\": error parsing completedIndexes: "
      "cannot convert string to integer for index: \"x\", status.failedIndexes: Invalid value: "
      "\"y,2-5\": error parsing failedIndexes: cannot convert string to integer for index: "
      "\"y\", status.failedIndexes: Invalid value: \"y,2-5\": failedIndexes and "
      "completedIndexes overlap at index: 2]",
      true },
    { JOB, PLAIN(""), PLAIN("'completedIndexes':'1','failedIndexes':''"),
      "[status.completedIndexes: Invalid value: \"1\": cannot set non-empty completedIndexes "
      "when non-indexed completion mode, status.failedIndexes: Invalid value: \"\": cannot set "
      "non-null failedIndexes when backoffLimitPerIndex is null]",
      true },
    { JOB, PLAIN(""), PLAIN("'uncountedTerminatedPods':{'succeeded':['a'],'failed':['b']}"), NULL,
      true },
    { JOB, PLAIN(""), PLAIN("'uncountedTerminatedPods':{'succeeded':['a','','a'],'failed':['a']}"),
      "[status.uncountedTerminatedPods.succeeded[1]: Invalid value: \"\": must not be empty, "
      "status.uncountedTerminatedPods.succeeded[2]: Duplicate value: \"a\", "
      "status.uncountedTerminatedPods.failed[0]: Duplicate value: \"a\"]",
      true },
    { JOB, PLAIN(T1), PLAIN(T1 "," E1 "," COMPLETE), NULL, true },
    { JOB, PLAIN(T1), PLAIN(T1 "," FAILED), NULL, true },
    { JOB, PLAIN(""),
      PLAIN("'active':1,'uncountedTerminatedPods':{'succeeded':['a']},'terminating':1," FAILED),
      "[status.active: Invalid value: 1: active>0 is invalid for finished job, "
      "status.startTime: Required value: startTime is required for finished job, "
      "status.uncountedTerminatedPods: Invalid value: "
      "{\"Succeeded\":[\"a\"],\"Failed\":null}: must be empty for finished job, "
      "status.terminating: Invalid value: 1: terminating>0 is invalid for finished job]",
      true },
    { JOB, PLAIN(T1), PLAIN(T1 "," COMPLETE),
      "status.completionTime: Required value: completionTime is required for Complete jobs", true },
    { JOB, PLAIN(T1), PLAIN(T1 "," E0),
      "[status.completionTime: Invalid value: \"2023-01-01T00:00:00Z\": cannot set "
      "completionTime when there is no Complete=True condition, status.completionTime: Invalid "
      "value: \"2023-01-01T00:00:00Z\": must be equal to or after `startTime`]",
      true },
    { JOB, PLAIN(T1 "," E1 "," COMPLETE),
      PLAIN(T1 ",'completionTime':'2024-02-02T00:00:00Z'," COMPLETE),
      "status.completionTime: Invalid value: \"2024-02-02T00:00:00Z\": field is immutable", true },
    { JOB, PLAIN(T1), PLAIN(T2),
      "status.startTime: Invalid value: \"2024-01-02T00:00:00Z\": field is immutable for "
      "unsuspended job once set",
      true },
    { JOB, SUSPENDED(T1), SUSPENDED(""), NULL, true },
    { JOB, PLAIN(T1 ",'conditions':[" IS("Suspended") "]"),
      PLAIN(T2 ",'conditions':[{'type':'Suspended','status':'False'}]"), NULL, true },
    { JOB, PLAIN(T1 "," FAILED), PLAIN(T1),
      "[status.conditions: Invalid value: cannot disable the terminal Failed=True condition, "
      "status.conditions: Invalid value: cannot disable the terminal FailureTarget=True "
      "condition]",
      true },
    { JOB, PLAIN(T1 ",'conditions':[" IS("SuccessCriteriaMet") "]"), PLAIN(T1),
      "status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
      true },
    { JOB, INDEXED(""),
      OF(",'completionMode':'Indexed','backoffLimitPerIndex':1,'successPolicy':{'rules':["
         "{'succeededIndexes':'0-2,8','succeededCount':4}]}",
         ""),
      "spec.successPolicy: Invalid value: "
      "{\"Rules\":[{\"SucceededIndexes\":\"0-2,8\",\"SucceededCount\":4}]}: field is "
      "immutable" },
    { JOB, NULL,
      OF(",'completionMode':'Indexed','successPolicy':{'rules':["
         "{'succeededIndexes':'0-2,8','succeededCount':5},{'succeededIndexes':'2-0'}]}",
         ""),
      "[spec.successPolicy.rules[0].succeededCount: Invalid value: 5: must be less than or "
      "equal to 4 (the number of indexes in the specified succeededIndexes field), "
      "spec.successPolicy.rules[1].succeededIndexes: Invalid value: \"2-0\": error parsing "
      "succeededIndexes: non-increasing order, previous: 2, current: 0]" },
};

VALIDATION_TABLE(validation_jobs, statuses, statuses)

#define CRON(more, job)                                                                            \
    SPEC("'schedule':'* * * * *'" more ",'jobTemplate':{'spec':{'template':{'metadata':{'labels'"  \
         ":{'a':'b'}},'spec':{'restartPolicy':'Never','containers':[{" CTR "}]}}" job "}}")

static const struct validation_case crons[] = {
    { "batch/v1.CronJob", CRON("", ""), CRON("", ",'completions':2,'managedBy':'a.b/c'"), NULL },
    { "batch/v1.CronJob", CRON("", ""),
      CRON("", ",'completions':2,'completionMode':'Indexed','backoffLimitPerIndex':1"), NULL },
    { "batch/v1.CronJob", NULL, CRON(",'timeZone':'UTC'", ""), NULL },
    { "batch/v1.CronJob", NULL, CRON(",'timeZone':'No/Where'", ",'completionMode':''"),
      "[spec.timeZone: Invalid value: \"No/Where\": unknown time zone No/Where, "
      "spec.jobTemplate.spec.completionMode: Unsupported value: \"\": supported values: "
      "\"NonIndexed\", \"Indexed\"]" },
};

VALIDATION_TABLE(validation_jobs, crons, crons)

#define CLAIM(modes, selector)                                                                     \
    "'volumeClaimTemplates':[{'metadata':{'name':'d'},'spec':{'accessModes':" modes selector       \
    ",'resources':{'requests':{'storage':'1'}}}}]"
#define SET(more) SPEC(SELECTOR ",'serviceName':'s'," TEMPLATE "," more)
#define NOT_THESE                                                                                  \
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "  \
    "'template', 'updateStrategy', 'revisionHistoryLimit', "                                       \
    "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"

static const struct validation_case sets[] = {
    { "apps/v1.StatefulSet", NULL, SET(CLAIM("['ReadWriteOnce']", "")), NULL },
    { "apps/v1.StatefulSet", NULL, SET(CLAIM("['x']", "")),
      "spec.volumeClaimTemplates[0].spec.accessModes: Unsupported value: \"x\": supported values: "
      "\"ReadOnlyMany\", \"ReadWriteMany\", \"ReadWriteOnce\", \"ReadWriteOncePod\"" },
    { "apps/v1.StatefulSet", SET(CLAIM("['x']", "")), SET(CLAIM("['x']", "") ",'replicas':2"),
      NULL },
    { "apps/v1.StatefulSet", SET(CLAIM("['ReadWriteOnce']", "")), SET(CLAIM("['x']", "")),
      NOT_THESE },
    { "apps/v1.StatefulSet", NULL, SPEC("'serviceName':'s','selector':{}," TEMPLATE),
      "spec.selector: Invalid value: {}: empty selector is invalid for statefulset" },
};

VALIDATION_TABLE(validation_jobs, sets, sets)

#define FEATURES(list) "{" META ",'status':{'declaredFeatures':" list "}}"

static const struct validation_case features[] = {
    { "core/v1.Node", FEATURES("[]"), FEATURES("['A','A/b','Abc/D0/e']"), NULL, true },
    { "core/v1.Node", FEATURES("[]"), FEATURES("['B','B','A']"),
      "[status.declaredFeatures[1]: Duplicate value: \"B\", status.declaredFeatures[2]: Invalid "
      "value: \"A\": list must be sorted alphabetically]",
      true },
    { "core/v1.Node", FEATURES("[]"), FEATURES("['A/']"),
      "status.declaredFeatures[0]: Invalid value: \"A/\": invalid feature name \"A/\": must start "
      "with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or "
      "MyFeature/mySubFeature), and contain only alphanumeric characters and slashes",
      true },
    { "core/v1.Pod", NULL, SPEC("'containers':[{" CTR "}],'preemptionPolicy':''"),
      "spec.preemptionPolicy: Required value" },
};

VALIDATION_TABLE(validation_jobs, features, features)
