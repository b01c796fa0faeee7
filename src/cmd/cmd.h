/* Commands of `pintle`, one file each. */
#pragma once

#include "base/version.h"

/* argv[0] is the command's name; returns the process's exit code. */
typedef int cmd_fn(int argc, char **argv);

int cmd_apiserver(int argc, char **argv);
int cmd_controller_manager(int argc, char **argv);
int cmd_dns(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_image(int argc, char **argv);
int cmd_kubelet(int argc, char **argv);
int cmd_pki(int argc, char **argv);
int cmd_proxy(int argc, char **argv);
int cmd_scheduler(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_up(int argc, char **argv);
int cmd_version(int argc, char **argv);
