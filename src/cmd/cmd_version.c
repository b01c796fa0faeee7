#include <stdio.h>

#include "cmd/cmd.h"

int cmd_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("pintle %s (Kubernetes %s)\n", VERSION_PINTLE, VERSION_GIT);
    return 0;
}
