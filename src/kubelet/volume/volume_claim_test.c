/* Volumes by claim: what takes the claim's place, what cannot, and whose the contents become. */
#include "kubelet/volume/volume_fixture.h"
#include "kubelet/volume/volume_internal.h"

TestSuite(volume_claim, .init = begin, .fini = end);

#define CLAIM(uid, more, status)                                                                   \
    "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"c\","      \
    "\"namespace\":\"n\",\"uid\":\"" uid "\",\"resourceVersion\":\"1\"" more                       \
    "},\"spec\":{\"volumeName\":\"pv\"},\"status\":{\"phase\":\"" status "\"}}"
#define VOLUME(source, uid)                                                                        \
    "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolume\",\"metadata\":{\"name\":\"pv\",\"uid\":"  \
    "\"pv-1\",\"resourceVersion\":\"1\"},\"spec\":{" source ",\"claimRef\":{\"uid\":\"" uid        \
    "\"}},\"status\":{\"phase\":\"Bound\"}}"
#define BY_CLAIM "\"persistentVolumeClaim\":{\"claimName\":\"c\"}"

static void put(const char *claim, const char *volume)
{
    set_object("persistentvolumeclaims/c", claim);
    set_object("persistentvolumes/pv", volume);
}

Test(volume_claim, a_claim_is_what_its_volume_says)
{
    const struct core_v1_pod *pod;
    struct runtime_mount *mounts;
    size_t n;
    struct err err;

    put(CLAIM("c-1", "", "Bound"), VOLUME("\"hostPath\":{\"path\":\"/mnt/data\"}", "c-1"));
    pod = pod_with("",
                   "\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"c\","
                   "\"readOnly\":true}}]",
                   "{\"name\":\"v\",\"mountPath\":\"/data\"}");
    cr_expect_str_eq(sync_pod(pod), "");
    cr_expect_eq(mode_of("/mnt/data"), 0755);
    cr_assert_geq(volume_manager_mounts(manager, &arena, pod, &pod->spec.containers.items[0], 0,
                                        &(struct runtime_map){ 0 }, &(struct runtime_strs){ 0 },
                                        &mounts, &n, &err),
                  0, "%s", err.text);
    cr_expect(str_eq(mounts[0].host_path, STR("/mnt/data")));
    cr_expect(mounts[0].readonly);
    cr_expect_eq(n_gets, 2);
    cr_expect_str_eq(sync_pod(pod), "");
    cr_expect_eq(n_gets, 2, "it is read once");
}

Test(volume_claim, claims_that_cannot_be_used)
{
    static const char local[] = VOLUME("\"hostPath\":{\"path\":\"/mnt/data\"}", "c-1");
    static const struct {
        const char *claim, *volume, *text, *words;
    } cases[] = {
        { NULL, local, BY_CLAIM, "failed to fetch PVC from API server: it is not there" },
        { CLAIM("c-1", "", "Pending"), local, BY_CLAIM,
          "PVC n/c has non-bound phase (\"Pending\") or empty pvc.Spec.VolumeName (\"pv\")" },
        { CLAIM("c-1", ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", "Bound"), local, BY_CLAIM,
          "PVC n/c is being deleted" },
        { CLAIM("c-1", "", "Bound"), NULL, BY_CLAIM, "failed to fetch PV pv from API server" },
        { CLAIM("c-2", "", "Bound"), local, BY_CLAIM, "is to uid c-1, not that of PVC n/c" },
        { CLAIM("c-1", "", "Bound"), VOLUME("\"nfs\":{\"server\":\"s\",\"path\":\"/\"}", "c-1"),
          BY_CLAIM, "this kubelet has none for PersistentVolume \"pv\"" },
        { CLAIM("c-1", "", "Bound"),
          VOLUME("\"volumeMode\":\"Block\",\"local\":{\"path\":\"/dev/sda\"}", "c-1"), BY_CLAIM,
          "none for block devices" },
        { CLAIM("c-1", "", "Bound"), VOLUME("\"local\":{\"path\":\"/mnt/absent\"}", "c-1"),
          BY_CLAIM, "/mnt/absent is not a directory" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *said;

        put(cases[i].claim, cases[i].volume);
        said = sync_pod(pod_of(cases[i].text));
        cr_expect(strstr(said, cases[i].words), "%zu: %s", i, said);
        volume_claim_forget_pod(manager, STR("u-1"));
    }
    /* It is looked at again, but not at once. */
    put(CLAIM("c-1", "", "Pending"), local);
    cr_expect(strstr(sync_pod(pod_of(BY_CLAIM)), "non-bound"));
    put(CLAIM("c-1", "", "Bound"), local);
    n_gets = 0;
    cr_expect(strstr(sync_pod(pod_of(BY_CLAIM)), "non-bound"));
    cr_expect_eq(n_gets, 0);
    clock_fake_advance(&fake, 1000000000);
    loop_turn(loop);
    cr_expect_str_eq(sync_pod(pod_of(BY_CLAIM)), "");
}

Test(volume_claim, an_ephemeral_claim_is_the_pods_own)
{
    static const char text[] = "\"ephemeral\":{\"volumeClaimTemplate\":{\"spec\":{}}}";
    static const char volume[] = VOLUME("\"hostPath\":{\"path\":\"/mnt/data\"}", "c-1");

    set_object("persistentvolumeclaims/p-v", CLAIM("c-1", "", "Bound"));
    set_object("persistentvolumes/pv", volume);
    cr_expect(strstr(sync_pod(pod_of(text)), "was not created for pod n/p (pod is not owner)"));
    volume_claim_forget_pod(manager, STR("u-1"));
    set_object("persistentvolumeclaims/p-v",
               CLAIM("c-1",
                     ",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"p\","
                     "\"uid\":\"u-1\",\"controller\":true}]",
                     "Bound"));
    cr_expect_str_eq(sync_pod(pod_of(text)), "");
}

Test(volume_claim, a_local_volume_becomes_the_groups_once)
{
    static const char volume[] = VOLUME("\"local\":{\"path\":\"/mnt/local\"}", "c-1");
    const struct core_v1_pod *pod;
    int fd;

    cr_assert_eq(mkdir("/mnt/outside", 0700), 0);
    cr_assert_eq(mkdir("/mnt/local", 0700), 0);
    cr_assert_eq(mkdir("/mnt/local/d", 0700), 0);
    fd = open("/mnt/local/d/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    cr_assert_eq(symlink("/mnt/outside", "/mnt/local/out"), 0);
    cr_assert_eq(mkfifo("/mnt/local/fifo", 0600), 0);
    put(CLAIM("c-1", "", "Bound"), volume);
    pod = pod_with(
        "", "\"securityContext\":{\"fsGroup\":77},\"volumes\":[{\"name\":\"v\"," BY_CLAIM "}]", "");
    cr_expect_str_eq(sync_pod(pod), "");
    cr_expect_eq(mode_of("/mnt/local"), 02770);
    cr_expect_eq(mode_of("/mnt/local/d"), 02770);
    cr_expect_eq(mode_of("/mnt/local/d/f"), 0660);
    cr_expect_eq(owner_of("/mnt/local/d/f", true), 77);
    cr_expect_eq(owner_of("/mnt/outside", true), 0);
    cr_expect_eq(mode_of("/mnt/outside"), 0700);
    cr_assert_eq(chmod("/mnt/local/d/f", 0600), 0);
    cr_expect_str_eq(sync_pod(pod), "");
    cr_expect_eq(mode_of("/mnt/local/d/f"), 0600, "what a container changes stays");
    /* Another Pod with OnRootMismatch: the root is as it should be, so nothing is done. */
    volume_claim_forget_pod(manager, STR("u-1"));
    pod = pod_with("",
                   "\"securityContext\":{\"fsGroup\":77,\"fsGroupChangePolicy\":"
                   "\"OnRootMismatch\"},\"volumes\":[{\"name\":\"v\"," BY_CLAIM "}]",
                   "");
    cr_expect_str_eq(sync_pod(pod), "");
    cr_expect_eq(mode_of("/mnt/local/d/f"), 0600);
    volume_claim_forget_pod(manager, STR("u-1"));
    cr_assert_eq(chmod("/mnt/local", 0700), 0);
    cr_expect_str_eq(sync_pod(pod), "");
    cr_expect_eq(mode_of("/mnt/local/d/f"), 0660);
}
