#include "kubelet/node/node_pressure.h"

#include <criterion/criterion.h>

#include "base/err.h"

static struct node_pressure pressure_of(const char *text)
{
    struct node_pressure p;
    struct err err;

    cr_assert(node_pressure_init(&p, str_from_cstr(text), &err) >= 0, "%s", err.text);
    return p;
}

Test(node_pressure, thresholds_are_amounts_or_parts)
{
    struct node_pressure p = pressure_of("memory.available<100Mi, nodefs.available<10%");
    struct pressure_facts f = { .of[PRESSURE_MEMORY] = { 100 << 20, 1 << 30 },
                                .of[PRESSURE_NODEFS] = { 10, 100 } };

    cr_expect_not(node_pressure_judge(&p, &f, 1), "as much as is asked for is enough");
    f.of[PRESSURE_MEMORY].available--;
    cr_expect(node_pressure_judge(&p, &f, 2));
    cr_expect(p.holds[PRESSURE_OF_MEMORY] && !p.holds[PRESSURE_OF_DISK]);
    f.of[PRESSURE_NODEFS].available = 9;
    cr_expect(node_pressure_judge(&p, &f, 3));
    cr_expect(p.holds[PRESSURE_OF_DISK] && !p.holds[PRESSURE_OF_PIDS]);
    cr_expect_not(node_pressure_judge(&p, &f, 4), "nothing is new");
}

Test(node_pressure, holds_on_for_five_minutes)
{
    struct node_pressure p = pressure_of("pid.available<10");
    struct pressure_facts f = { .of[PRESSURE_PID] = { 9, 100 } };

    cr_expect(node_pressure_judge(&p, &f, 1000));
    f.of[PRESSURE_PID].available = 50;
    cr_expect_not(node_pressure_judge(&p, &f, 300999));
    cr_expect(p.holds[PRESSURE_OF_PIDS]);
    cr_expect(node_pressure_judge(&p, &f, 301000));
    cr_expect_not(p.holds[PRESSURE_OF_PIDS]);
}

Test(node_pressure, what_is_not_known_presses_nobody)
{
    struct node_pressure p = pressure_of(NODE_PRESSURE_DEFAULT);
    struct pressure_facts f = { 0 };

    cr_expect_not(node_pressure_judge(&p, &f, 1));
    p = pressure_of("");
    f.of[PRESSURE_NODEFS].capacity = 100;
    cr_expect_not(node_pressure_judge(&p, &f, 2), "no threshold, no pressure");
    node_pressure_read("/", "/no/such/directory", &f);
    cr_expect_gt(f.of[PRESSURE_NODEFS].capacity, 0);
    cr_expect_gt(f.of[PRESSURE_PID].capacity, f.of[PRESSURE_PID].available);
    cr_expect_gt(f.of[PRESSURE_MEMORY].available, 0);
    cr_expect_eq(f.of[PRESSURE_IMAGEFS].capacity, 0);
}

Test(node_pressure, refuses_what_is_no_threshold)
{
    static const char *const texts[] = { "memory.available",    "memory<1",
                                         "nodefs.available<x",  "nodefs.available<101%",
                                         "nodefs.available<-1", "nodefs.available<-1%" };
    struct node_pressure p;
    struct err err;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_expect_eq(node_pressure_init(&p, str_from_cstr(texts[i]), &err), ERR_INVALID, "%s",
                     texts[i]);
}
