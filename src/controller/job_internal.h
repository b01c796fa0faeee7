/* A Job and its Pods in one run. Deciding (job_plan.c, and what it asks: job_pods.c, job_policy.c,
 * job_backoff.c, job_conditions.c) talks to nobody; job.c acts; job_template.c makes Pods. */
#pragma once

#include "api/batch_v1.h"
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "client/api_object.h"
#include "controller/job_indexes.h"

#define JOB_FINALIZER            "batch.kubernetes.io/job-tracking"
#define JOB_INDEX                "batch.kubernetes.io/job-completion-index"
#define JOB_INDEX_FAILURES       "batch.kubernetes.io/job-index-failure-count"
#define JOB_INDEX_IGNORED        "batch.kubernetes.io/job-index-ignored-failure-count"
#define JOB_CONTROLLER           "kubernetes.io/job-controller"
#define JOB_FAILURE_TARGET       "FailureTarget"
#define JOB_SUCCESS_CRITERIA_MET "SuccessCriteriaMet"
#define JOB_BACKOFF_EXCEEDED     "Job has reached the specified backoff limit"

enum {
    JOB_MAX_UNCOUNTED = 500, /* Pods in status.uncountedTerminatedPods, roughly 20 KB of it */
    JOB_MAX_CHANGES = 500,   /* Pods made or deleted in one run */
    JOB_BACKOFF_MS = 10000,  /* after the first failure; twice as long after each further one */
    JOB_BACKOFF_MAX_MS = 600000,
};

/* --- Pods: job_pods.c --- */

struct job_pod {
    const struct api_object *object;
    const struct core_v1_pod *pod;
    int32_t index;   /* its completion index; -1: none */
    bool is_tracked; /* has the finalizer: what became of it is not in the Job's counts */
    bool is_valid;   /* it counts: any Pod of a NonIndexed Job, an index below completions */
    bool is_active;  /* neither ended nor on its way out */
    bool is_leaving; /* being deleted, not ended */
    bool is_succeeded;
    bool is_failed;     /* or is treated as if it were */
    bool was_succeeded; /* in status.uncountedTerminatedPods */
    bool was_failed;
};

bool job_is_indexed(const struct batch_v1_job *j);
bool job_is_suspended(const struct batch_v1_job *j);
/* A Pod is replaced when it has ended, not already when it is being deleted. */
bool job_replaces_failed_only(const struct batch_v1_job *j);
bool job_has_finalizer(const struct api_object *pod);
int32_t job_completion_index(const struct api_object *pod);
/* Failures of the Pod's index before it, by its annotations; ignored ones as a policy says. */
int32_t job_index_failures(const struct api_object *pod);
int32_t job_index_all_failures(const struct api_object *pod);
struct job_pod job_pod_of(const struct batch_v1_job *j, const struct api_object *pod);
/* When it ended, as well as that can be told; seconds. */
int64_t job_pod_end(const struct api_object *pod);

/* --- policies: job_policy.c --- */

struct job_verdict {
    struct str action;  /* of the rule that fits; unset: none does */
    bool is_counted;    /* towards the limits of failures */
    struct str message; /* FailJob: why */
};
/* p may be NULL. Texts in the arena. */
struct job_verdict job_policy_judge(struct arena *a, const struct batch_v1_pod_failure_policy *p,
                                    const struct core_v1_pod *pod);
/* Which rule of the success policy is met; -1: none. */
int job_policy_success(struct arena *a, const struct batch_v1_job *j,
                       const struct job_indexes *succeeded);

/* --- back-off: job_backoff.c --- */

/* Failures since the last success, as this process has seen them. */
struct job_backoff {
    int32_t failures;
    int64_t last_failure_s;
};
/* With the Pods that have ended since. */
struct job_backoff job_backoff_add(struct job_backoff b, const struct job_pod *pods, size_t n);
/* Until the next Pod may be made; 0: now. */
int64_t job_backoff_left_ms(struct job_backoff b, int64_t now_ms);
int64_t job_backoff_left_of_index_ms(const struct api_object *last_failed, int64_t now_ms);

/* --- conditions: job_conditions.c --- */

typedef struct batch_v1_job_condition job_condition;
const job_condition *job_find_condition(const struct batch_v1_job *j, const char *type);
bool job_has_condition(const struct batch_v1_job *j, const char *type); /* it is "True" */
bool job_is_finished(const struct batch_v1_job *j);
/* Complete or Failed; NULL: neither is true. */
const job_condition *job_finished_condition(const struct batch_v1_job *j);
/* Replaces or appends; what is not there does not become "False". True: something changed. */
bool job_set_condition(struct arena *a, struct batch_v1_job_status *s, const job_condition *c);

/* --- deciding: job_plan.c --- */

struct job_input {
    struct arena *arena; /* of the plan */
    const struct batch_v1_job *job;
    const struct job_pod *pods;
    size_t n_pods;
    int64_t now_ms;
    struct job_backoff backoff;
    bool may_manage; /* Pods may be made and deleted; else: done already in this run */
    /* How the Job ends, as found when its Pods were deleted in this run; NULL: not found yet. */
    const job_condition *decided;
};

struct job_event {
    const char *type, *reason;
    struct str message;
};

struct job_plan {
    /* Pods to delete; those that are tracked and not to be counted lose their finalizer before. Or
     * Pods to make. When there are such, that comes first, and a new plan after it. */
    const struct job_pod **deletes;
    size_t n_deletes;
    bool deletes_uncounted;
    size_t n_creates;
    int32_t *indexes;                /* of the creates; NULL: NonIndexed */
    const struct job_pod **replaced; /* of the creates, an element may be NULL; or NULL */
    const job_condition *decided;    /* for the next step */
    /* What status should be. Only when it is so already may finalizers go: what they stood for is
     * written then. */
    struct batch_v1_job_status status;
    const struct job_pod **releases;
    size_t n_releases;
    struct job_backoff backoff; /* once status is written */
    struct job_event events[3]; /* then, too */
    size_t n_events;
    int64_t again_after_ms; /* 0: never by itself */
};

void job_plan(const struct job_input *in, struct job_plan *ret);

/* job_manage.c: of job_plan(), how many Pods there shall be. */
struct job_facts {
    struct job_indexes was_succeeded, succeeded_indexes, failed_indexes;
    int32_t succeeded, failed; /* with those that are not in the counts yet */
    int32_t active, leaving;
    /* By completion index: the failed Pod whose finalizer stays until it is replaced, so that its
     * annotations tell of the failures before. Only with backoffLimitPerIndex; else NULL. */
    const struct job_pod **delayed; /* in the order of their indexes */
    size_t n_delayed;
    struct job_backoff backoff; /* with the Pods that have ended since */
};
const struct job_pod *job_delayed(const struct job_facts *f, int32_t index); /* NULL: none */
void job_manage(const struct job_input *in, const struct job_facts *f, struct job_plan *ret);
void job_plan_again(struct job_plan *p, int64_t after_ms); /* the earliest wins */

/* --- acting --- */

/* A Pod of the Job; index -1: of a NonIndexed one. Shares the template's memory. */
struct object job_new_pod(struct arena *a, const struct api_object *job, int32_t index,
                          const struct job_pod *replaced);
