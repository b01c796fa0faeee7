/* Descriptions of the columns of Tables. */
#pragma once

#include "base/str.h"

/* Of built-in resources' columns, and of what all have; "" for names that nobody knows. */
struct str table_column_text(struct str name);
