/* What Pintle says that it is. Clients compare the minor version with their own. */
#pragma once

#define VERSION_MAJOR  "1"
#define VERSION_MINOR  "36"
#define VERSION_PINTLE "0.1.0"
#define VERSION_GIT    "v" VERSION_MAJOR "." VERSION_MINOR ".0+pintle." VERSION_PINTLE
