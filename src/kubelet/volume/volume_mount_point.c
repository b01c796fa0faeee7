/* Directories of volumes: tmpfs on them, whose they are, and the mounts that are left below. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/vec.h"
#include "kubelet/volume/volume_internal.h"

bool volume_mount_point_is(const char *path)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct stat here, above;

    return stat(path, &here) == 0 && stat(arena_printf(&a, "%s/..", path).p, &above) == 0 &&
           here.st_dev != above.st_dev;
}

int volume_mount_point_tmpfs(const char *path, int64_t limit_bytes, struct err *err)
{
    char options[64] = "mode=0777";

    if (volume_mount_point_is(path))
        return 0;
    if (limit_bytes > 0)
        (void)snprintf(options, sizeof(options), "mode=0777,size=%lld", (long long)limit_bytes);
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return err_errno(err, errno, "mount a tmpfs on '%s'", path);
    return 0;
}

int volume_mount_point_own(const char *path, gid_t gid, struct err *err)
{
    mode_t mode = gid != (gid_t)-1 ? 02777 : 0777;
    struct stat st;

    if (stat(path, &st) < 0)
        return err_errno(err, errno, "look at '%s'", path);
    if (gid != (gid_t)-1 && st.st_gid != gid && chown(path, (uid_t)-1, gid) < 0)
        return err_errno(err, errno, "give '%s' to group %u", path, (unsigned)gid);
    if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0)
        return err_errno(err, errno, "change the mode of '%s'", path);
    return 0;
}

/* "\040" is a space in mountinfo; in place. */
static void unescape(char *s)
{
    char *to = s;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
            s[3] >= '0' && s[3] <= '7') {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

/* The fifth word of a line of mountinfo; cut out in place. NULL: there is none. */
static char *mount_point_of(char *line)
{
    char *end;

    for (int i = 0; i < 4; i++) {
        line = strchr(line, ' ');
        if (!line)
            return NULL;
        line++;
    }
    end = strchr(line, ' ');
    if (!end)
        return NULL;
    *end = '\0';
    unescape(line);
    return line;
}

void volume_mount_point_clear(const char *path)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct VEC(const char *) points = { 0 };
    FILE *f = fopen("/proc/self/mountinfo", "re");
    size_t len = strlen(path);
    bool is_start = true, is_whole; /* overlays make long lines */
    char line[8192];

    while (f && fgets(line, sizeof(line), f)) {
        const char *p;

        is_whole = strchr(line, '\n');
        p = is_start ? mount_point_of(line) : NULL;
        is_start = is_whole;
        if (p && strncmp(p, path, len) == 0 && p[len] == '/')
            VEC_PUSH(&points, str_cstr(&a, str_from_cstr(p)));
    }
    if (f)
        (void)fclose(f);
    /* What was mounted last lies on top. One that is gone with another is no failure. */
    while (points.len)
        (void)umount2(VEC_POP(&points), MNT_DETACH | UMOUNT_NOFOLLOW);
    VEC_DONE(&points);
}
