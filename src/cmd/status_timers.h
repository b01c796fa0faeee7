/* Work that is done now and then although nothing happened: what, how often, why. */
#pragma once

void status_timers_print(void);
