/* Volumes of Pods: what is made, what follows, what is refused, what containers see of it. */
#include "kubelet/volume/volume_fixture.h"

TestSuite(volume_manager, .init = begin, .fini = end);

/* --- small files --- */

#define CONFIG_MAPS POD "/volumes/kubernetes.io~configmap/v"

Test(volume_manager, follows_a_config_map)
{
    const struct core_v1_pod *pod = pod_of("\"configMap\":{\"name\":\"m\",\"defaultMode\":416}");
    const char *before;

    set_object("configmaps/m",
               "\"data\":{\"a\":\"1\",\"b\":\"2\"},\"binaryData\":{\"c\":\"AAEC\"}");
    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_str_eq(text_of(CONFIG_MAPS "/a"), "1");
    cr_expect_str_eq(link_of(CONFIG_MAPS "/a"), "..data/a");
    cr_expect_eq(memcmp(text_of(CONFIG_MAPS "/c"), "\0\1\2", 4), 0);
    cr_expect_eq(mode_of(CONFIG_MAPS "/a"), 0640);
    cr_expect_eq(mode_of(CONFIG_MAPS), 0777);
    before = link_of(CONFIG_MAPS "/..data");
    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_str_eq(link_of(CONFIG_MAPS "/..data"), before, "written without a change");

    set_object("configmaps/m", "\"data\":{\"a\":\"one\",\"d\":\"4\"}");
    wait_for_change();
    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_str_eq(text_of(CONFIG_MAPS "/a"), "one");
    cr_expect_str_eq(text_of(CONFIG_MAPS "/d"), "4");
    cr_expect_str_eq(link_of(CONFIG_MAPS "/b"), "ENOENT");
    cr_expect_str_neq(link_of(CONFIG_MAPS "/..data"), before);
    cr_expect_eq(count_entries(CONFIG_MAPS), 4, "a, d, ..data and one directory");
}

Test(volume_manager, stays_when_its_config_map_is_deleted)
{
    const struct core_v1_pod *pod = pod_of("\"configMap\":{\"name\":\"m\"}");

    set_object("configmaps/m", "\"data\":{\"a\":\"1\"}");
    cr_assert_str_eq(sync_pod(pod), "");
    set_object("configmaps/m", NULL);
    wait_for_change();
    cr_expect_str_eq(sync_pod(pod),
                     "MountVolume.SetUp failed for volume \"v\" : configmap \"m\" not found");
    cr_expect_str_eq(text_of(CONFIG_MAPS "/a"), "1");
}

Test(volume_manager, takes_items_into_paths)
{
    const struct core_v1_pod *pod =
        pod_of("\"configMap\":{\"name\":\"m\",\"items\":[{\"key\":\"a\",\"path\":\"x/./y//a\"},"
               "{\"key\":\"b\",\"path\":\"x/b\",\"mode\":256},{\"key\":\"b\",\"path\":\"z\"},"
               "{\"key\":\"a\",\"path\":\"./z\"}]}");

    set_object("configmaps/m", "\"data\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}");
    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_str_eq(text_of(CONFIG_MAPS "/x/y/a"), "1");
    cr_expect_str_eq(link_of(CONFIG_MAPS "/x"), "..data/x");
    cr_expect_eq(mode_of(CONFIG_MAPS "/x/b"), 0400);
    cr_expect_str_eq(text_of(CONFIG_MAPS "/z"), "1", "the later one counts");
    cr_expect_str_eq(link_of(CONFIG_MAPS "/c"), "ENOENT");
}

#define SECRETS POD "/volumes/kubernetes.io~secret/v"

Test(volume_manager, keeps_secrets_in_memory_for_the_group)
{
    const struct core_v1_pod *pod = pod_with(
        "",
        "\"securityContext\":{\"fsGroup\":3000},"
        "\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"s\",\"defaultMode\":256,"
        "\"items\":[{\"key\":\"k\",\"path\":\"d/k\"}]}}]",
        "");
    long long bytes;

    set_object("secrets/s", "\"data\":{\"k\":\"c2VjcmV0\"}");
    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_str_eq(text_of(SECRETS "/d/k"), "secret");
    cr_expect(is_tmpfs(SECRETS, &bytes));
    cr_expect_eq(bytes, 16 << 20, "the Pod's memory: %lld", bytes);
    cr_expect_eq(mode_of(SECRETS "/d/k"), 0440);
    cr_expect_eq(owner_of(SECRETS "/d/k", true), 3000);
    cr_expect_eq(mode_of(SECRETS "/d"), 02755);
    cr_expect_eq(owner_of(SECRETS "/d", true), 3000);
    cr_expect_eq(mode_of(SECRETS), 02777);
    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_eq(count_entries(SECRETS), 3);
}

#define PROJECTED POD "/volumes/kubernetes.io~projected/v"

#define TOKEN "{\"serviceAccountToken\":{\"path\":\"token\",\"expirationSeconds\":3600}}"

Test(volume_manager, projects_and_renews_a_token)
{
    const struct core_v1_pod *pod =
        pod_of("\"projected\":{\"defaultMode\":292,\"sources\":[" TOKEN
               ",{\"serviceAccountToken\":{\"path\":\"other\",\"audience\":\"vault\"}},"
               "{\"configMap\":{\"name\":\"m\",\"items\":[{\"key\":\"a\",\"path\":\"ca.crt\"}]}},"
               "{\"secret\":{\"name\":\"none\",\"optional\":true}},"
               "{\"downwardAPI\":{\"items\":[{\"path\":\"namespace\",\"fieldRef\":{\"fieldPath\":"
               "\"metadata.namespace\"}}]}}]}");
    const char *first;

    set_object("configmaps/m", "\"data\":{\"a\":\"certificate\"}");
    cr_assert_str_eq(sync_pod(pod), "");
    first = text_of(PROJECTED "/token");
    cr_expect(str_has_prefix(str_from_cstr(first), STR("token-")));
    cr_expect(str_has_suffix(str_from_cstr(text_of(PROJECTED "/other")), STR("-vault")));
    cr_expect_str_eq(text_of(PROJECTED "/ca.crt"), "certificate");
    cr_expect_str_eq(text_of(PROJECTED "/namespace"), "n");
    cr_expect_eq(mode_of(PROJECTED "/token"), 0444);
    cr_expect_eq(n_tokens, 2);

    clock_fake_advance(&fake, 2879 * 1000000000LL); /* four fifths of an hour: 2880 s */
    for (int i = 0; i < 100; i++)
        loop_turn(loop);
    cr_expect_eq(n_tokens, 2);
    clock_fake_advance(&fake, 2 * 1000000000LL);
    wait_for_change();
    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_str_neq(text_of(PROJECTED "/token"), first);

    /* The server fails from now on: the old one serves until it ends. */
    token_status = 404;
    clock_fake_advance(&fake, 600 * 1000000000LL);
    wait_for_change();
    cr_expect_str_eq(sync_pod(pod), "");
    clock_fake_advance(&fake, 600 * 1000000000LL);
    wait_for_change();
    cr_expect(str_has_prefix(
        str_from_cstr(sync_pod(pod)),
        STR("MountVolume.SetUp failed for volume \"v\" : [failed to fetch token: ")));
}

Test(volume_manager, gives_tokens_to_their_user_and_group)
{
    static const struct {
        const char *context;
        unsigned mode, uid, gid;
    } cases[] = {
        { "", 0644, 0, 0 },
        { "\"runAsUser\":1000", 0600, 1000, 0 },
        { "\"fsGroup\":2000", 0640, 0, 2000 },
        { "\"runAsUser\":1000,\"fsGroup\":2000", 0640, 1000, 2000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct core_v1_pod *pod =
            pod_with("",
                     arena_printf(&arena,
                                  "\"securityContext\":{%s},\"volumes\":[{\"name\":\"v%zu\","
                                  "\"projected\":{\"sources\":[" TOKEN "]}}]",
                                  cases[i].context, i)
                         .p,
                     "");
        const char *path =
            arena_printf(&arena, POD "/volumes/kubernetes.io~projected/v%zu/token", i).p;

        cr_assert_str_eq(sync_pod(pod), "");
        cr_expect_eq(mode_of(path), cases[i].mode, "%zu: %o", i, mode_of(path));
        cr_expect_eq(owner_of(path, false), cases[i].uid);
        cr_expect_eq(owner_of(path, true), cases[i].gid);
    }
}

#define DOWNWARD POD "/volumes/kubernetes.io~downward-api/v"

Test(volume_manager, follows_the_pods_own_fields)
{
    static const char volumes[] =
        "\"volumes\":[{\"name\":\"v\",\"downwardAPI\":{\"items\":[{\"path\":\"labels\","
        "\"fieldRef\":{\"fieldPath\":\"metadata.labels\"}},{\"path\":\"limit\",\"mode\":256,"
        "\"resourceFieldRef\":{\"containerName\":\"c\",\"resource\":\"limits.memory\","
        "\"divisor\":\"1Mi\"}},{\"path\":\"cpu\",\"resourceFieldRef\":{\"containerName\":\"c\","
        "\"resource\":\"limits.cpu\"}}]}}]";

    cr_assert_str_eq(sync_pod(pod_with("\"a\":\"1\"", volumes, "")), "");
    cr_expect_str_eq(text_of(DOWNWARD "/labels"), "a=\"1\"");
    cr_expect_str_eq(text_of(DOWNWARD "/limit"), "16");
    cr_expect_str_eq(text_of(DOWNWARD "/cpu"), "2", "the node's");
    cr_expect_eq(mode_of(DOWNWARD "/limit"), 0400);
    cr_assert_str_eq(sync_pod(pod_with("\"a\":\"1\",\"b\":\"2\"", volumes, "")), "");
    cr_expect_str_eq(text_of(DOWNWARD "/labels"), "a=\"1\"\nb=\"2\"");
}

/* --- what cannot be had --- */

Test(volume_manager, says_what_is_wrong)
{
    static const struct {
        const char *volume, *text;
    } cases[] = {
        { "\"configMap\":{\"name\":\"x\"}", "configmap \"x\" not found" },
        { "\"configMap\":{\"name\":\"x\",\"optional\":true}", NULL },
        { "\"secret\":{\"secretName\":\"x\"}", "secret \"x\" not found" },
        { "\"secret\":{\"secretName\":\"x\",\"optional\":true}", NULL },
        { "\"configMap\":{\"name\":\"m\",\"items\":[{\"key\":\"q\",\"path\":\"q\"}]}",
          "configmap references non-existent config key: q" },
        { "\"configMap\":{\"name\":\"m\",\"optional\":true,\"items\":[{\"key\":\"q\",\"path\":"
          "\"q\"}]}",
          NULL },
        { "\"secret\":{\"secretName\":\"s\",\"items\":[{\"key\":\"q\",\"path\":\"q\"}]}",
          "references non-existent secret key: q" },
        { "\"configMap\":{\"name\":\"m\",\"items\":[{\"key\":\"a\",\"path\":\"../../x\"}]}",
          "invalid path '../../x': must not start with '..'" },
        { "\"projected\":{\"sources\":[{\"configMap\":{\"name\":\"x\"}},{\"secret\":{\"name\":"
          "\"x\"}},{\"configMap\":{\"name\":\"m\"}}]}",
          "[configmap \"x\" not found, secret \"x\" not found]" },
        { "\"projected\":{\"sources\":[{\"clusterTrustBundle\":{\"name\":\"x\",\"path\":\"p\"}}]}",
          "projected source 0: clusterTrustBundle is not supported" },
        { "\"emptyDir\":{\"medium\":\"HugePages\"}",
          "storage medium \"HugePages\" is not supported: this node offers no huge pages" },
        { "\"emptyDir\":{\"medium\":\"Tape\"}", "unknown storage medium \"Tape\"" },
        { "\"hostPath\":{\"path\":\"/mnt/no\",\"type\":\"Directory\"}",
          "hostPath type check failed: /mnt/no is not a directory" },
        { "\"hostPath\":{\"path\":\"/mnt\",\"type\":\"File\"}",
          "hostPath type check failed: /mnt is not a file" },
        { "\"hostPath\":{\"path\":\"/mnt\",\"type\":\"FileOrCreate\"}",
          "hostPath type check failed: /mnt is not a file" },
        { "\"hostPath\":{\"path\":\"/mnt\",\"type\":\"Socket\"}",
          "hostPath type check failed: /mnt is not a socket file" },
        { "\"hostPath\":{\"path\":\"/mnt\",\"type\":\"CharDevice\"}",
          "hostPath type check failed: /mnt is not a character device" },
        { "\"hostPath\":{\"path\":\"/dev/null\",\"type\":\"CharDevice\"}", NULL },
        { "\"hostPath\":{\"path\":\"/dev/null\",\"type\":\"BlockDevice\"}",
          "hostPath type check failed: /dev/null is not a block device" },
        { "\"hostPath\":{\"path\":\"/mnt\",\"type\":\"Moon\"}", "Moon is an invalid volume type" },
        { "\"gitRepo\":{\"repository\":\"x\"}",
          "gitRepo volume plugin has been disabled; clone the repository into an emptyDir in an "
          "init container instead" },
        { "\"csi\":{\"driver\":\"x\"}",
          "no volume plugin matched: this kubelet has none for csi volumes" },
        { "\"nfs\":{\"server\":\"x\",\"path\":\"/\"}",
          "no volume plugin matched: this kubelet has none for nfs volumes" },
    };

    set_object("configmaps/m", "\"data\":{\"a\":\"1\"}");
    set_object("secrets/s", "\"data\":{\"k\":\"c2VjcmV0\"}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct core_v1_pod *pod = pod_with(
            "", arena_printf(&arena, "\"volumes\":[{\"name\":\"v%zu\",%s}]", i, cases[i].volume).p,
            "");
        const char *text = sync_pod(pod);
        const char *wanted =
            cases[i].text
                ? arena_printf(&arena, "MountVolume.SetUp failed for volume \"v%zu\" : %s", i,
                               cases[i].text)
                      .p
                : "";

        cr_expect_str_eq(text, wanted, "case %zu: %s", i, text);
    }
}

Test(volume_manager, makes_what_a_host_path_lacks)
{
    cr_assert_str_eq(
        sync_pod(pod_of("\"hostPath\":{\"path\":\"/mnt/d/e\",\"type\":\"DirectoryOrCreate\"}")),
        "");
    cr_assert_str_eq(
        sync_pod(pod_of("\"hostPath\":{\"path\":\"/mnt/d/f\",\"type\":\"FileOrCreate\"}")), "");
    cr_assert_str_eq(sync_pod(pod_of("\"hostPath\":{\"path\":\"/mnt/g\"}")), "");
    cr_expect_eq(mode_of("/mnt/d/e"), 0755);
    cr_expect_eq(mode_of("/mnt/d/f"), 0644);
    cr_expect_eq(mode_of("/mnt/g"), 0755);
}

/* --- emptyDir --- */

#define EMPTY_DIR POD "/volumes/kubernetes.io~empty-dir/v"

Test(volume_manager, makes_an_empty_dir_once)
{
    const struct core_v1_pod *pod =
        pod_with("",
                 "\"securityContext\":{\"fsGroup\":3000},\"volumes\":[{\"name\":\"v\","
                 "\"emptyDir\":{}}]",
                 "");

    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_eq(mode_of(EMPTY_DIR), 02777);
    cr_expect_eq(owner_of(EMPTY_DIR, true), 3000);
    cr_assert_eq(chmod(EMPTY_DIR, 0700), 0); /* as a database does */
    cr_assert_eq(chown(EMPTY_DIR, 999, 999), 0);
    cr_assert_str_eq(sync_pod(pod), "");
    cr_expect_eq(mode_of(EMPTY_DIR), 0700);
    cr_expect_eq(owner_of(EMPTY_DIR, true), 999);
}

Test(volume_manager, bounds_an_empty_dir_in_memory)
{
    static const struct {
        const char *limit;
        long long bytes;
    } cases[] = {
        { "", 16 << 20 },
        { ",\"sizeLimit\":\"1Mi\"", 1 << 20 },
        { ",\"sizeLimit\":\"1Gi\"", 16 << 20 },
        { ",\"sizeLimit\":\"0\"", 16 << 20 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *spec = arena_printf(&arena,
                                        "\"volumes\":[{\"name\":\"m%zu\",\"emptyDir\":{"
                                        "\"medium\":\"Memory\"%s}}]",
                                        i, cases[i].limit)
                               .p;
        const char *path = arena_printf(&arena, POD "/volumes/kubernetes.io~empty-dir/m%zu", i).p;
        long long bytes;

        cr_assert_str_eq(sync_pod(pod_with("", spec, "")), "");
        cr_assert_str_eq(sync_pod(pod_with("", spec, "")), "");
        cr_expect(is_tmpfs(path, &bytes));
        cr_expect_eq(bytes, cases[i].bytes, "case %zu: %lld", i, bytes);
        cr_expect_eq(mode_of(path), 0777);
        /* A node that starts anew has lost it. */
        cr_assert_eq(umount(path), 0);
        cr_assert_str_eq(sync_pod(pod_with("", spec, "")), "");
        cr_expect(is_tmpfs(path, &bytes));
    }
}

/* --- what a container sees --- */

static const struct runtime_key_value env_items[] = { { STR_INIT("NAME"), STR_INIT("web") },
                                                      { STR_INIT("NONE"), STR_INIT("") } };
static const struct runtime_map env = { env_items, 2 };
static const struct str ip_items[] = { STR_INIT("10.1.0.5"), STR_INIT("fd00::5") };
static const struct runtime_strs ips = { ip_items, 2 };

/* The mounts of the container's run, or the error in the arena. */
static const char *mounts_of(const struct core_v1_pod *pod, uint32_t attempt,
                             struct runtime_mount **ret, size_t *ret_len)
{
    struct err err;

    cr_assert_str_eq(sync_pod(pod), "");
    if (volume_manager_mounts(manager, &arena, pod, &pod->spec.containers.items[0], attempt, &env,
                              &ips, ret, ret_len, &err) < 0)
        return arena_printf(&arena, "%s", err.text).p;
    return "";
}

#define MOUNT(more) "{\"name\":\"v\",\"mountPath\":\"/data\"" more "}"

static const char *mount_error(const char *volume, const char *mount)
{
    struct runtime_mount *m;
    size_t n;

    return mounts_of(
        pod_with("", arena_printf(&arena, "\"volumes\":[{\"name\":\"v\",%s}]", volume).p, mount), 0,
        &m, &n);
}

Test(volume_manager, mounts_volumes)
{
    const struct core_v1_pod *pod = pod_with(
        "",
        "\"volumes\":[{\"name\":\"e\",\"emptyDir\":{}},{\"name\":\"m\",\"configMap\":{\"name\":"
        "\"m\"}},{\"name\":\"h\",\"hostPath\":{\"path\":\"/mnt\"}}]",
        "{\"name\":\"e\",\"mountPath\":\"/e\",\"mountPropagation\":\"HostToContainer\"},"
        "{\"name\":\"m\",\"mountPath\":\"m\"},{\"name\":\"h\",\"mountPath\":\"/h\",\"readOnly\":"
        "true,\"recursiveReadOnly\":\"Enabled\",\"mountPropagation\":\"None\"}");
    struct runtime_mount *m;
    size_t n;

    set_object("configmaps/m", "\"data\":{\"a\":\"1\"}");
    cr_assert_str_eq(mounts_of(pod, 0, &m, &n), "");
    cr_assert_eq(n, 5, "three, /etc/hosts, the termination log");
    cr_expect(str_eq(m[0].host_path, STR(POD "/volumes/kubernetes.io~empty-dir/e")));
    cr_expect(!m[0].readonly && m[0].propagation == RUNTIME_HOST_TO_CONTAINER);
    cr_expect(str_eq(m[1].container_path, STR("/m")));
    cr_expect(m[1].readonly, "whatever the mount says");
    cr_expect(str_eq(m[2].host_path, STR("/mnt")));
    cr_expect(m[2].readonly && m[2].recursive_readonly && m[2].propagation == RUNTIME_PRIVATE);
    cr_expect(str_eq(m[3].container_path, STR("/etc/hosts")));
    cr_expect(str_eq(m[4].container_path, STR("/dev/end")));
}

Test(volume_manager, binds_sub_paths)
{
    const struct core_v1_pod *pod =
        pod_with("", "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]",
                 MOUNT(",\"subPath\":\"a/b\"") "," MOUNT(
                     ",\"subPathExpr\":\"logs/$(NAME)\"") "," MOUNT(",\"subPath\":\"file\""));
    struct runtime_mount *m;
    size_t n;

    cr_assert_str_eq(sync_pod(pod), "");
    write_to(EMPTY_DIR "/file", "text");
    cr_assert_str_eq(mounts_of(pod, 0, &m, &n), "");
    cr_expect(str_eq(m[0].host_path, STR(POD "/volume-subpaths/v/c/0")));
    cr_expect_eq(mode_of(EMPTY_DIR "/a"), 0777);
    cr_expect_eq(mode_of(EMPTY_DIR "/a/b"), 0777);
    cr_expect_eq(mode_of(EMPTY_DIR "/logs/web"), 0777);
    write_to(POD "/volume-subpaths/v/c/0/x", "through the mount");
    cr_expect_str_eq(text_of(EMPTY_DIR "/a/b/x"), "through the mount");
    cr_expect_str_eq(text_of(m[2].host_path.p), "text");
    /* The next run finds what there is then. */
    cr_assert_eq(unlink(EMPTY_DIR "/file"), 0);
    cr_assert_eq(mkdir(EMPTY_DIR "/file", 0755), 0);
    write_to(EMPTY_DIR "/file/y", "y");
    cr_assert_str_eq(mounts_of(pod, 1, &m, &n), "");
    cr_expect_str_eq(text_of(POD "/volume-subpaths/v/c/2/y"), "y");
    cr_expect_str_eq(text_of(POD "/volume-subpaths/v/c/0/x"), "through the mount");
}

Test(volume_manager, keeps_sub_paths_within_their_volume)
{
    static const char *const bad[] = { "out", "out/x", "up", "up/x", "in/out2", "passwd" };
    static const char refused[] =
        "failed to prepare subPath for volumeMount \"v\" of container \"c\"";

    cr_assert_str_eq(mount_error("\"emptyDir\":{}", MOUNT("")), "");
    cr_assert_eq(mkdir("/mnt/outside", 0777), 0);
    cr_assert_eq(symlink("/mnt/outside", EMPTY_DIR "/out"), 0);
    cr_assert_eq(symlink("/etc/passwd", EMPTY_DIR "/passwd"), 0);
    cr_assert_eq(symlink("../../..", EMPTY_DIR "/up"), 0);
    cr_assert_eq(mkdir(EMPTY_DIR "/in", 0777), 0);
    cr_assert_eq(symlink("../../../../../../outside", EMPTY_DIR "/in/out2"), 0);
    cr_assert_eq(symlink("in", EMPTY_DIR "/fine"), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *mount =
            arena_printf(&arena, "{\"name\":\"v\",\"mountPath\":\"/data\",\"subPath\":\"%s\"}",
                         bad[i])
                .p;

        cr_expect_str_eq(mount_error("\"emptyDir\":{}", mount), refused, "%s", bad[i]);
    }
    cr_expect_eq(count_entries("/mnt/outside"), 0);
    cr_expect_str_eq(mount_error("\"emptyDir\":{}", MOUNT(",\"subPath\":\"fine/new\"")), "");
    cr_expect_eq(mode_of(EMPTY_DIR "/in/new"), 0777, "links that stay inside are followed");
}

Test(volume_manager, refuses_bad_sub_paths)
{
    static const struct {
        const char *mount, *text;
    } cases[] = {
        { MOUNT(",\"subPath\":\"/x\""), "error SubPath `/x` must not be an absolute path" },
        { MOUNT(",\"subPath\":\"a/../../x\""),
          "unable to provision SubPath `a/../../x`: must not contain '..'" },
        { MOUNT(",\"subPathExpr\":\"$(NAME)/$(GONE)\""), "missing value for GONE" },
        { MOUNT(",\"subPathExpr\":\"$(NONE)\""), "missing value for NONE" },
        { MOUNT(",\"subPathExpr\":\"$$(GONE)\""), "" },
        { "{\"name\":\"other\",\"mountPath\":\"/x\"}",
          "cannot find volume \"other\" to mount into container \"c\"" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_str_eq(mount_error("\"emptyDir\":{}", cases[i].mount), cases[i].text, "case %zu",
                         i);
}

#define HOSTS_HEAD                                                                                 \
    "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"                                     \
    "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"                           \
    "fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"

Test(volume_manager, writes_hosts_and_termination_logs)
{
    struct runtime_mount *m;
    size_t n;

    cr_assert_str_eq(mounts_of(pod_of("\"emptyDir\":{}"), 0, &m, &n), "");
    cr_expect_str_eq(text_of(POD "/etc-hosts"), HOSTS_HEAD "10.1.0.5\tp\nfd00::5\tp\n");
    cr_assert_eq(n, 2);
    cr_expect_eq(mode_of(m[1].host_path.p), 0666);
    write_to(m[1].host_path.p, "why");
    cr_assert_str_eq(mounts_of(pod_of("\"emptyDir\":{}"), 1, &m, &n), "");
    cr_expect_str_eq(text_of(m[1].host_path.p), "");
    cr_expect_str_eq(
        text_of(volume_manager_termination_log(&arena, manager, STR("u-1"), STR("c"), 0).p), "why");
    cr_assert_str_eq(mounts_of(pod_of("\"emptyDir\":{}"), 2, &m, &n), "");
    cr_expect_eq(count_entries(POD "/containers/c"), 2, "of this run and the one before");

    cr_assert_str_eq(mounts_of(pod_with("",
                                        "\"subdomain\":\"db\",\"hostname\":\"w\",\"hostAliases\":"
                                        "[{\"ip\":\"1.2.3.4\",\"hostnames\":[\"a\",\"b\"]}]",
                                        ""),
                               3, &m, &n),
                     "");
    cr_expect_str_eq(text_of(POD "/etc-hosts"),
                     HOSTS_HEAD "10.1.0.5\tw.db.n.svc.cluster.local\tw\n"
                                "fd00::5\tw.db.n.svc.cluster.local\tw\n"
                                "\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n");

    cr_assert_str_eq(mounts_of(pod_with("", "\"hostNetwork\":true", ""), 4, &m, &n), "");
    cr_assert_eq(n, 2);
    cr_expect(str_has_prefix(str_from_cstr(text_of(POD "/etc-hosts")),
                             STR("# Kubernetes-managed hosts file (host network).\n")));

    cr_assert_str_eq(mounts_of(pod_with("", "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]",
                                        "{\"name\":\"v\",\"mountPath\":\"/etc/hosts\"}"),
                               5, &m, &n),
                     "");
    cr_expect_eq(n, 2, "the container's own, and the termination log");
}

/* --- the end --- */

static int n_pods;
static void on_pod(struct str uid, void *arg)
{
    (void)arg;
    n_pods += str_eq(uid, STR("u-1"));
}

Test(volume_manager, removes_a_pod_and_nothing_else)
{
    const struct core_v1_pod *pod =
        pod_with("",
                 "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}},{\"name\":\"s\",\"secret\":{"
                 "\"secretName\":\"s\"}},{\"name\":\"h\",\"hostPath\":{\"path\":\"/mnt/keep\"}}]",
                 "{\"name\":\"h\",\"mountPath\":\"/h\",\"subPath\":\"sub\"}");
    struct runtime_mount *m;
    struct err err;
    size_t n;

    set_object("secrets/s", "\"data\":{\"k\":\"c2VjcmV0\"}");
    cr_assert_str_eq(mounts_of(pod, 0, &m, &n), "");
    write_to("/mnt/keep/sub/file", "kept");
    cr_assert_eq(symlink("/mnt/keep", EMPTY_DIR "/link"), 0);
    /* What a container with Bidirectional propagation left mounted, twice and with a space. */
    cr_assert_eq(mkdir(EMPTY_DIR "/a b", 0755), 0);
    cr_assert_eq(mount("/mnt/keep", EMPTY_DIR "/a b", NULL, MS_BIND, NULL), 0);
    cr_assert_eq(mount("/mnt/keep", EMPTY_DIR "/a b", NULL, MS_BIND, NULL), 0);
    cr_assert_eq(mount("/mnt/keep", EMPTY_DIR "/a b/sub", NULL, MS_BIND, NULL), 0);
    volume_manager_each_pod(manager, on_pod, NULL);
    cr_expect_eq(n_pods, 1);

    cr_assert_geq(volume_manager_remove_pod(manager, STR("u-1"), &err), 0, "%s", err.text);
    cr_expect_str_eq(text_of("/mnt/keep/sub/file"), "kept");
    cr_expect_eq(count_entries(PODS), 0);
    cr_expect_geq(volume_manager_remove_pod(manager, STR("u-1"), &err), 0, "again is fine");
}
