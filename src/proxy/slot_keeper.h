/* Endpoints stay in the slots that they have. A list of elements is made anew for each change, with
 * its endpoints dealt out in order, so that one that goes would move all behind it. */
#pragma once

#include "proxy/service_rules.h"

/* Exchanges endpoints between the slots of each place in `is`, so that as few as can be differ from
 * `was`. How many slots each endpoint has does not change. */
void slot_keeper_settle(const struct proxy_elements *was, struct proxy_elements *is);
