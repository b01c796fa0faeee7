#include "api/table_columns.h"

#include <criterion/criterion.h>

#include "api/resource.h"

Test(table_columns, every_column_has_a_text)
{
    for (size_t i = 0; i < resource_table_len; i++)
        for (size_t k = 0; k < resource_table[i].n_columns; k++) {
            struct str name = resource_table[i].columns[k].name;

            cr_expect(table_column_text(name).len, "%.*s of %.*s", STR_ARG(name),
                      STR_ARG(resource_table[i].name));
        }
    cr_assert_eq(table_column_text(STR("No Such Column")).len, 0);
}
