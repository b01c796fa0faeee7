#include "base/err.h"
#include "base/macros.h"
#include "runtime/oci_spec.h"

/* By number, linux/capability.h. */
static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

static const char *const defaults[] = {
    "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
    "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE",
};

int oci_capability_number(struct str name)
{
    static const struct str prefix = STR_INIT("CAP_");

    if (name.len > prefix.len && str_eq_nocase(str_sub(name, 0, prefix.len), prefix))
        name = str_tail(name, prefix.len);
    for (int i = 0; i < (int)ARRAY_LEN(names); i++)
        if (str_eq_nocase(name, str_from_cstr(names[i] + prefix.len)))
            return i;
    return -1;
}

const char *oci_capability_name(int number)
{
    return number >= 0 && number < (int)ARRAY_LEN(names) ? names[number] : NULL;
}

static int mask_of(struct runtime_strs list, uint64_t *ret, bool *ret_all, struct err *err)
{
    for (size_t i = 0; i < list.len; i++) {
        int number = oci_capability_number(list.items[i]);

        if (str_eq_nocase(list.items[i], STR("ALL")))
            *ret_all = true;
        else if (number < 0)
            return err_set(err, ERR_INVALID, "unknown capability '%.*s'", STR_ARG(list.items[i]));
        else
            *ret |= (uint64_t)1 << number;
    }
    return 0;
}

int oci_capabilities(const struct runtime_security *security, uint64_t bounding, uint64_t *ret,
                     struct err *err)
{
    const uint64_t known = ((uint64_t)1 << ARRAY_LEN(names)) - 1;
    uint64_t mask = 0, add = 0, drop = 0;
    bool add_all = false, drop_all = false;
    int r = mask_of(security->add_capabilities, &add, &add_all, err);

    if (r == 0)
        r = mask_of(security->drop_capabilities, &drop, &drop_all, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        mask |= (uint64_t)1 << oci_capability_number(str_from_cstr(defaults[i]));
    if (drop_all)
        mask = 0;
    if (add_all || security->privileged)
        mask = known;
    mask = security->privileged ? mask : (mask | add) & ~drop;
    *ret = mask & bounding & known;
    return 0;
}
