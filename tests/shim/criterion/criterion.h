/* The part of Criterion that our tests use, for builds in which Criterion itself does not start
 * (the thread sanitizer takes the addresses that it wants). Tests are the same files; each runs in
 * a forked child, one after the other. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct criterion_options {
    void (*init)(void), (*fini)(void); /* around the test */
    double timeout;                    /* not looked at: sanitizers take their time */
};
struct criterion_test {
    const char *suite, *name; /* name NULL: options of all tests of the suite */
    void (*fn)(void);
    struct criterion_options options;
    struct criterion_test *next;
};
void criterion_add(struct criterion_test *t);
__attribute__((format(printf, 4, 5), noreturn)) void
criterion_fail(const char *file, int line, const char *what, const char *fmt, ...);
/* The test goes on, and has failed. */
__attribute__((format(printf, 4, 5))) void criterion_note(const char *file, int line,
                                                          const char *what, const char *fmt, ...);
__attribute__((format(printf, 1, 2), noreturn)) void criterion_skip(const char *fmt, ...);

#define CR_ADD_(suite_, name_, text_, fn_, ...)                                                    \
    __attribute__((constructor)) static void suite_##_##name_##_add(void)                          \
    {                                                                                              \
        static struct criterion_test t_ = { #suite_, text_, fn_, { __VA_ARGS__ }, NULL };          \
        criterion_add(&t_);                                                                        \
    }
#define Test(suite_, name_, ...)                                                                   \
    static void suite_##_##name_##_test(void);                                                     \
    CR_ADD_(suite_, name_, #name_, suite_##_##name_##_test, ##__VA_ARGS__)                         \
    static void suite_##_##name_##_test(void)
#define TestSuite(suite_, ...)                                                                     \
    CR_ADD_(suite_, of_all, NULL, NULL, ##__VA_ARGS__) struct criterion_test

/* Texts after the condition are printf's, as Criterion has it, and may be left out. */
#define CR_CHECK_(act, cond, what, ...)                                                            \
    do {                                                                                           \
        if (!(cond))                                                                               \
            criterion_##act(__FILE__, __LINE__, (what), "" __VA_ARGS__);                           \
    } while (0)
#define CR_OP_(act, a, op, b, ...) CR_CHECK_(act, (a)op(b), #a " " #op " " #b, ##__VA_ARGS__)

#define cr_assert(c, ...)           CR_CHECK_(fail, (c), #c, ##__VA_ARGS__)
#define cr_assert_not(c, ...)       CR_CHECK_(fail, !(c), "not " #c, ##__VA_ARGS__)
#define cr_assert_null(p, ...)      CR_CHECK_(fail, (p) == NULL, #p " is NULL", ##__VA_ARGS__)
#define cr_assert_not_null(p, ...)  CR_CHECK_(fail, (p) != NULL, #p " is not NULL", ##__VA_ARGS__)
#define cr_expect_null(p, ...)      CR_CHECK_(note, (p) == NULL, #p " is NULL", ##__VA_ARGS__)
#define cr_expect_not_null(p, ...)  CR_CHECK_(note, (p) != NULL, #p " is not NULL", ##__VA_ARGS__)
#define cr_assert_eq(a, b, ...)     CR_OP_(fail, a, ==, b, ##__VA_ARGS__)
#define cr_assert_neq(a, b, ...)    CR_OP_(fail, a, !=, b, ##__VA_ARGS__)
#define cr_assert_lt(a, b, ...)     CR_OP_(fail, a, <, b, ##__VA_ARGS__)
#define cr_assert_leq(a, b, ...)    CR_OP_(fail, a, <=, b, ##__VA_ARGS__)
#define cr_assert_gt(a, b, ...)     CR_OP_(fail, a, >, b, ##__VA_ARGS__)
#define cr_assert_geq(a, b, ...)    CR_OP_(fail, a, >=, b, ##__VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) CR_CHECK_(fail, strcmp(a, b) == 0, #a " is " #b, ##__VA_ARGS__)
#define cr_assert_fail(...)         CR_CHECK_(fail, false, "failed", ##__VA_ARGS__)
#define cr_expect(c, ...)           CR_CHECK_(note, (c), #c, ##__VA_ARGS__)
#define cr_expect_not(c, ...)       CR_CHECK_(note, !(c), "not " #c, ##__VA_ARGS__)
#define cr_expect_eq(a, b, ...)     CR_OP_(note, a, ==, b, ##__VA_ARGS__)
#define cr_expect_neq(a, b, ...)    CR_OP_(note, a, !=, b, ##__VA_ARGS__)
#define cr_expect_lt(a, b, ...)     CR_OP_(note, a, <, b, ##__VA_ARGS__)
#define cr_expect_gt(a, b, ...)     CR_OP_(note, a, >, b, ##__VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) CR_CHECK_(note, strcmp(a, b) == 0, #a " is " #b, ##__VA_ARGS__)
#define cr_expect_str_neq(a, b, ...)                                                               \
    CR_CHECK_(note, strcmp(a, b) != 0, #a " is not " #b, ##__VA_ARGS__)
#define cr_expect_str_empty(a, ...) CR_CHECK_(note, !*(a), #a " is empty", ##__VA_ARGS__)
#define cr_expect_leq(a, b, ...)    CR_OP_(note, a, <=, b, ##__VA_ARGS__)
#define cr_expect_geq(a, b, ...)    CR_OP_(note, a, >=, b, ##__VA_ARGS__)
#define cr_skip_test(...)           criterion_skip("" __VA_ARGS__)
#define cr_log_info(...)            ((void)fprintf(stderr, "" __VA_ARGS__), (void)fputc('\n', stderr))
