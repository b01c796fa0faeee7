/* For tests: volumes in a mount namespace of the test's own, with caches over a small API server.
 * Needs root. */
#pragma once

#include "kubelet/volume/volume_api_fixture.h"

static inline void on_change(struct str uid, void *arg)
{
    (void)uid;
    (void)arg;
    n_changes++;
}

static inline void on_object(struct str key, void *arg)
{
    on_change(key, arg);
}

static inline struct object_cache *cache_of(const char *plural)
{
    return object_cache_new(&(struct object_cache_options){
        .loop = loop,
        .client = client,
        .resource = resource_find(STR(""), STR("v1"), str_from_cstr(plural)),
        .on_change = on_object });
}

static inline void begin(void)
{
    struct kube_config config = { .host = STR("127.0.0.1") };
    struct err err;
    uint16_t port;

    cr_assert_eq(unshare(CLONE_NEWNS), 0, "these tests need root");
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("scratch", "/mnt", "tmpfs", 0, NULL), 0);
    cr_assert_eq(mount(NULL, "/mnt", NULL, MS_SHARED, NULL), 0); /* as a kubelet's is */
    token_status = 201;
    clock_fake_init(&fake, 1700000000LL * 1000000000);
    loop = loop_new(&fake.clock);
    cr_assert_eq(
        http_server_new(
            &(struct http_server_options){ .loops = &loop, .n_loops = 1, .on_request = on_request },
            &server, &err),
        0);
    cr_assert_eq(http_server_listen(server, "127.0.0.1", 0, &port, &err), 0);
    config.port = port;
    cr_assert_eq(rest_client_new(loop, &config, STR("test"), &client, &err), 0);
    config_maps = cache_of("configmaps");
    secrets = cache_of("secrets");
    cr_assert_eq(
        volume_manager_new(&(struct volume_manager_options){ .loop = loop,
                                                             .client = client,
                                                             .pods_directory = PODS,
                                                             .cluster_domain = STR("cluster.local"),
                                                             .config_maps = config_maps,
                                                             .secrets = secrets,
                                                             .node = &node,
                                                             .on_change = on_change },
                           &manager, &err),
        0, "%s", err.text);
}

static inline void end(void)
{
    volume_manager_free(manager);
    object_cache_free(config_maps);
    object_cache_free(secrets);
    rest_client_free(client);
    http_server_stop(server, 0, NULL, NULL);
    for (int i = 0; i < 20; i++)
        loop_turn(loop);
    http_server_free(server);
    loop_free(loop);
    for (size_t i = 0; i < n_watches; i++)
        buf_done(&watches[i].waiting);
    map_done(&objects);
    arena_done(&arena);
}

static inline void unref(void *o)
{
    api_object_unref(o);
}

/* spec: members of the Pod's spec beside containers. */
static inline const struct core_v1_pod *pod_with(const char *labels, const char *spec,
                                                 const char *mounts)
{
    struct str json = arena_printf(
        &arena,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":\"n\","
        "\"uid\":\"u-1\",\"labels\":{%s}},\"spec\":{\"serviceAccountName\":\"robot\",%s,"
        "\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"terminationMessagePath\":\"/dev/end\","
        "\"resources\":{\"limits\":{\"memory\":\"16Mi\"}},\"volumeMounts\":[%s]}]}}",
        labels, spec, mounts);
    struct api_object *o;
    struct err err;

    cr_assert_geq(api_object_decode(resource_find(STR(""), STR("v1"), STR("pods")), json, &o, &err),
                  0, "%s", err.text);
    arena_defer(&arena, unref, o);
    return API_OBJECT(o, struct core_v1_pod);
}

/* volume: the members of the one volume "v". */
static inline const struct core_v1_pod *pod_of(const char *volume)
{
    return pod_with("", arena_printf(&arena, "\"volumes\":[{\"name\":\"v\",%s}]", volume).p, "");
}

/* Until nothing is on its way any more; the error's text, "" when it went well. */
static inline const char *sync_pod(const struct core_v1_pod *pod)
{
    struct err err = { 0 };
    int r = ERR_AGAIN;

    for (int i = 0; i < 20000 && r == ERR_AGAIN; i++) {
        r = volume_manager_sync(manager, pod, &err);
        loop_turn(loop);
    }
    return r == 0 ? "" : arena_printf(&arena, "%s", err.text).p;
}

/* Until the caches or tokens tell of something. */
static inline void wait_for_change(void)
{
    int before = n_changes;

    for (int i = 0; i < 200000 && n_changes == before; i++)
        loop_turn(loop);
    cr_assert_neq(n_changes, before);
}

static inline const char *text_of(const char *path)
{
    char *text = arena_zalloc(&arena, 4096, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return strerrorname_np(errno);
    cr_assert_geq(read(fd, text, 4095), 0);
    (void)close(fd);
    return text;
}

static inline const char *link_of(const char *path)
{
    char *text = arena_zalloc(&arena, 512, 1);

    return readlink(path, text, 511) < 0 ? strerrorname_np(errno) : text;
}

static inline unsigned mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mode & 07777u : 0;
}

static inline unsigned owner_of(const char *path, bool is_group)
{
    struct stat st;

    cr_assert_eq(stat(path, &st), 0);
    return is_group ? st.st_gid : st.st_uid;
}

static inline bool is_tmpfs(const char *path, long long *ret_bytes)
{
    struct statfs s;
    struct stat here, above;

    cr_assert_eq(statfs(path, &s), 0);
    cr_assert_eq(stat(path, &here), 0);
    cr_assert_eq(stat(arena_printf(&arena, "%s/..", path).p, &above), 0);
    *ret_bytes = (long long)s.f_blocks * s.f_bsize;
    return s.f_type == TMPFS_MAGIC_NUMBER && here.st_dev != above.st_dev;
}

static inline int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    cr_assert_not_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n - 2;
}

static inline void write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}
