#include "apiserver/proxying/proxy_path.h"

#include <criterion/criterion.h>

#include "base/macros.h"

Test(proxy_path, where_a_pod_or_a_node_may_be)
{
    static const struct {
        struct str address;
        bool is_allowed;
    } cases[] = {
        { STR_INIT("10.244.0.7"), true },
        { STR_INIT("192.0.2.1"), true },
        { STR_INIT("2001:db8::1"), true },
        { STR_INIT("fd00::1"), true },
        { STR_INIT("::ffff:10.0.0.1"), true },
        { STR_INIT("127.0.0.1"), false },
        { STR_INIT("127.255.255.254"), false },
        { STR_INIT("0.0.0.0"), false },
        { STR_INIT("169.254.169.254"), false },
        { STR_INIT("224.0.0.1"), false },
        { STR_INIT("239.255.255.255"), false },
        { STR_INIT("::"), false },
        { STR_INIT("::1"), false },
        { STR_INIT("fe80::1"), false },
        { STR_INIT("ff02::1"), false },
        { STR_INIT("::ffff:127.0.0.1"), false },
        { STR_INIT("::ffff:169.254.169.254"), false },
        { STR_INIT(""), false },
        { STR_INIT("localhost"), false },
        { STR_INIT("10.0.0.1 "), false },
        { STR_INIT("10.0.1"), false },
        { STR_INIT("0x7f.0.0.1"), false },
        { STR_INIT("010.0.0.1"), false },
        { STR_INIT("fe80::1%eth0"), false },
        { STR_INIT("0000:0000:0000:0000:0000:0000:0000:0000:0000:0001"), false },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(proxy_path_is_allowed(cases[i].address), cases[i].is_allowed, "%.*s",
                     STR_ARG(cases[i].address));
}
