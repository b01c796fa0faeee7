/* The default seccomp profile: what a container has no business with unless it holds the capability
 * that the call is about. Everything else is allowed. clone3 answers "no such call", so that libc
 * falls back to clone, whose flags a filter can see. */
#include <linux/capability.h>
#include <sched.h>

#include "base/buf.h"
#include "base/macros.h"
#include "runtime/oci_spec.h"

enum { NEVER = -1 }; /* no capability allows it */

static const struct {
    int capability;
    const char *calls; /* separated by spaces */
} denied[] = {
    { NEVER, "add_key keyctl request_key get_kernel_syms query_module create_module nfsservctl "
             "uselib userfaultfd ustat sysfs _sysctl vm86 vm86old kexec_file_load kexec_load "
             "io_uring_setup io_uring_enter io_uring_register" },
    { CAP_SYS_ADMIN, "bpf clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
                     "mount_setattr move_mount open_tree perf_event_open pivot_root quotactl "
                     "quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare" },
    { CAP_DAC_READ_SEARCH, "open_by_handle_at" },
    { CAP_SYS_BOOT, "reboot" },
    { CAP_SYS_MODULE, "delete_module init_module finit_module" },
    { CAP_SYS_PACCT, "acct" },
    { CAP_SYS_RAWIO, "iopl ioperm" },
    { CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64 clock_adjtime "
                    "clock_adjtime64" },
    { CAP_SYS_TTY_CONFIG, "vhangup" },
    { CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy move_pages migrate_pages" },
    { CAP_SYS_PTRACE, "kcmp process_madvise" },
    { CAP_SYS_ADMIN, "swapon swapoff" },
};

static void print_rule(struct buf *b, struct str call, bool *first)
{
    bool is_clone3 = str_eq(call, STR("clone3"));

    buf_printf(b, "%s{\"names\":[\"%.*s\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":%d}",
               *first ? "" : ",", STR_ARG(call), is_clone3 ? 38 /* ENOSYS */ : 1 /* EPERM */);
    *first = false;
}

void oci_seccomp_print_default(struct buf *b, uint64_t capabilities)
{
    static const unsigned namespaces[] = { CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                           CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                           CLONE_NEWNET };
    bool first = true;

    buf_append_lit(b, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[");
    for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
        struct str rest = str_from_cstr(denied[i].calls), call;

        if (denied[i].capability != NEVER && (capabilities & ((uint64_t)1 << denied[i].capability)))
            continue;
        while (str_next(&rest, ' ', &call))
            print_rule(b, call, &first);
    }
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        if (!(capabilities & ((uint64_t)1 << CAP_SYS_ADMIN)))
            buf_printf(b,
                       ",{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1,"
                       "\"args\":[{\"index\":0,\"value\":%u,\"valueTwo\":%u,"
                       "\"op\":\"SCMP_CMP_MASKED_EQ\"}]}",
                       namespaces[i], namespaces[i]);
    buf_append_lit(b, "]}");
}
