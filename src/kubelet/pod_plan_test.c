/* Pods as one line, what is to be done for them as another. A container is written KIND STATE:
 * i init, s sidecar, m main, e ephemeral; '-' none yet, 'c' created, 'r' running (and started), 'p'
 * running, its startup probe not passed, 'k' being killed, 'u' unhealthy, 'x' of another image,
 * 'w' waiting for its back-off, a digit the exit code. */
#include "kubelet/pod_plan.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "api/core_v1.h"
#include "base/macros.h"

enum { NOW = 1000 };

static struct plan_container container_of(char kind, char state)
{
    static const struct core_v1_container none = { 0 };
    struct plan_container c = { .c = { .kind = kind == 'i'   ? POD_CONTAINER_INIT
                                               : kind == 's' ? POD_CONTAINER_SIDECAR
                                               : kind == 'm' ? POD_CONTAINER_MAIN
                                                             : POD_CONTAINER_EPHEMERAL,
                                       .spec = &none },
                                .exists = state != '-',
                                .state = RUNTIME_CONTAINER_IS_RUNNING };

    if (state == 'c')
        c.state = RUNTIME_CONTAINER_IS_CREATED;
    c.is_started = state != 'p';
    c.is_being_killed = state == 'k';
    c.is_unhealthy = state == 'u';
    c.is_changed = state == 'x';
    if (state >= '0' && state <= '9') {
        c.state = RUNTIME_CONTAINER_IS_EXITED;
        c.exit_code = state - '0';
    }
    if (state == 'w') {
        c.state = RUNTIME_CONTAINER_IS_EXITED;
        c.exit_code = 1;
        c.restart_at_ms = NOW + 500;
    }
    return c;
}

/* "start 1 initialized again 1500" */
static const char *planned(const char *sandbox, const char *policy, const char *containers)
{
    static const char *const words[] = { "nothing", "create", "remove", "stop", "start", "kill" };
    static char text[128];
    struct plan_container list[8];
    struct plan_input in = { .restart_policy = str_from_cstr(policy),
                             .containers = list,
                             .has_sandbox = *sandbox != '-',
                             .is_sandbox_ready = *sandbox == 'r',
                             .is_deadline_over = sandbox[1] == 'd',
                             .is_final = sandbox[1] == 'f',
                             .now_ms = NOW };
    struct plan p;
    int n;

    for (const char *s = containers; *s; s += s[2] ? 3 : 2)
        list[in.n++] = container_of(s[0], s[1]);
    p = pod_plan(&in);
    n = snprintf(text, sizeof(text), "%s", words[p.action]);
    if (p.action == PLAN_START || p.action == PLAN_KILL)
        n += snprintf(text + n, sizeof(text) - (size_t)n, " %zu", p.index);
    if (p.is_initialized)
        n += snprintf(text + n, sizeof(text) - (size_t)n, " initialized");
    if (p.is_over)
        n += snprintf(text + n, sizeof(text) - (size_t)n, " over");
    if (p.again_at_ms)
        (void)snprintf(text + n, sizeof(text) - (size_t)n, " again %lld", (long long)p.again_at_ms);
    return text;
}

Test(pod_plan, cases)
{
    static const struct {
        const char *sandbox, *policy, *containers, *plan;
    } cases[] = {
        /* the sandbox: - none, n not ready, r ready; then d deadline, f final */
        { "-", "Always", "m-", "create" },
        { "n", "Always", "mr", "remove" },
        { "n", "Never", "m0", "nothing over" },
        { "-", "Never", "m1", "nothing over" },
        { "-", "Always", "m1", "create" },
        { "rd", "Always", "mr", "stop over" },
        { "rf", "Always", "mr", "stop over" },
        { "-f", "Always", "m-", "nothing over" },
        /* main containers, each by itself */
        { "r", "Always", "m-", "start 0 initialized" },
        { "r", "Always", "mr m-", "start 1 initialized" },
        { "r", "Always", "mr mr", "nothing initialized" },
        { "r", "Always", "mw m-", "start 1 initialized again 1500" },
        { "r", "Always", "mw mr", "nothing initialized again 1500" },
        { "r", "Always", "m0", "start 0 initialized" },
        { "r", "OnFailure", "m0 m1", "start 1 initialized" },
        { "r", "OnFailure", "m0 m0", "stop over" },
        { "r", "Never", "m0 m1", "stop over" },
        { "r", "Never", "m0 mr", "nothing initialized" },
        { "r", "Always", "mc", "start 0 initialized" },
        /* unhealthy, changed, being killed */
        { "r", "Always", "mu", "kill 0 initialized" },
        { "r", "Never", "mx", "kill 0 initialized" },
        { "r", "Always", "mk", "nothing initialized" },
        { "r", "Always", "su m-", "kill 0" },
        /* init containers in order */
        { "r", "Always", "i- i- m-", "start 0" },
        { "r", "Always", "ir i- m-", "nothing" },
        { "r", "Always", "i0 i- m-", "start 1" },
        { "r", "Always", "i0 i0 m-", "start 2 initialized" },
        { "r", "Always", "i1 i- m-", "start 0" },
        { "r", "Always", "iw i- m-", "nothing again 1500" },
        { "r", "OnFailure", "i1 m-", "start 0" },
        { "r", "Never", "i1 m-", "stop over" },
        { "r", "Never", "i0 m0", "stop over" },
        /* once main ones have run, init containers are history, even when their runs are lost */
        { "r", "Always", "i- mr", "nothing initialized" },
        /* sidecars: started counts as done, they are kept alive, and end with the main ones */
        { "r", "Always", "s- m-", "start 0" },
        { "r", "Always", "sp m-", "nothing" },
        { "r", "Always", "sr m-", "start 1 initialized" },
        { "r", "Never", "s0 mr", "start 0" },
        { "r", "Never", "s1 m-", "start 0" },
        { "r", "Never", "sr m0", "stop over" },
        { "r", "Always", "sr i- s- m-", "start 1" },
        { "r", "Always", "sw i- m-", "nothing again 1500" },
        /* ephemeral ones run once */
        { "r", "Always", "mr e-", "start 1 initialized" },
        { "r", "Always", "mr e1", "nothing initialized" },
        { "r", "Never", "m0 er", "stop over" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_str_eq(
            planned(cases[i].sandbox, cases[i].policy, cases[i].containers), cases[i].plan,
            "%s %s %s: %s, not %s", cases[i].sandbox, cases[i].policy, cases[i].containers,
            planned(cases[i].sandbox, cases[i].policy, cases[i].containers), cases[i].plan);
}

Test(pod_plan, a_container_has_rules_of_its_own)
{
    int32_t codes[] = { 3, 42 };
    struct core_v1_container_restart_rule_on_exit_codes on = { .operator= STR("In"),
                                                               .values = { codes, 2 } };
    struct core_v1_container_restart_rule rule = { .action = STR("Restart"), .exit_codes = &on };
    struct core_v1_container spec = { .restart_policy = STR("Never"),
                                      .restart_policy_rules = { &rule, 1 } };
    struct plan_container c = { .c = { .kind = POD_CONTAINER_MAIN, .spec = &spec },
                                .exit_code = 42 };

    cr_expect(pod_plan_restarts(STR("Never"), &c));
    c.exit_code = 1;
    cr_expect_not(pod_plan_restarts(STR("Always"), &c), "its own policy comes before the Pod's");
    on.operator= STR("NotIn");
    cr_expect(pod_plan_restarts(STR("Never"), &c));
    c.exit_code = 3;
    cr_expect_not(pod_plan_restarts(STR("Never"), &c));
    c.must_restart = true;
    cr_expect(pod_plan_restarts(STR("Never"), &c));
}
