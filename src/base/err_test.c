#include "base/err.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(err, is_filled_once_and_prefixed_on_the_way_up)
{
    struct err err;

    cr_assert_eq(err_set(&err, ERR_CONFLICT, "revision %d", 7), ERR_CONFLICT);
    cr_assert_eq(err_wrap(&err, "write '%s'", "a/b"), ERR_CONFLICT);
    cr_assert_str_eq(err.text, "write 'a/b': revision 7");
    cr_assert_eq(err_errno(&err, ENOENT, "open '%s'", "/x"), -ENOENT);
    cr_assert_str_eq(err.text, "open '/x': No such file or directory");
}

Test(err, is_cut_not_overrun)
{
    static char text[5000];
    struct err err;

    memset(text, 'x', sizeof(text) - 1);
    (void)err_set(&err, ERR_INVALID, "%s", text);
    cr_assert_eq(strlen(err.text), ERR_TEXT_BYTES - 1);
    (void)err_wrap(&err, "%s", text);
    cr_assert_eq(strlen(err.text), ERR_TEXT_BYTES - 1);
    cr_assert_eq(err.code, ERR_INVALID);
}

Test(err, names_every_code)
{
#define X(name, value, text) cr_expect_str_eq(err_name(name), text);
    ERR_CODES(X)
#undef X
    cr_expect_str_eq(err_name(-EADDRINUSE), "Address already in use");
}
