#include "base/histogram.h"

#include <criterion/criterion.h>

#include "base/buf.h"

Test(histogram, counts_up_to_each_bound)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct histogram h;

    histogram_init_exponential(&h, 0.5, 2, 2);
    histogram_observe(&h, 0.5);
    histogram_observe(&h, 0.75);
    histogram_observe(&h, 7);
    histogram_print(&h, "x", "", &b);
    histogram_print(&h, "x", "a=\"b\"", &b);
    cr_expect_str_eq(buf_cstr(&b), "x_bucket{le=\"0.5\"} 1\nx_bucket{le=\"1\"} 2\n"
                                   "x_bucket{le=\"+Inf\"} 3\nx_sum 8.25\nx_count 3\n"
                                   "x_bucket{a=\"b\",le=\"0.5\"} 1\nx_bucket{a=\"b\",le=\"1\"} 2\n"
                                   "x_bucket{a=\"b\",le=\"+Inf\"} 3\nx_sum{a=\"b\"} 8.25\n"
                                   "x_count{a=\"b\"} 3\n");
}
