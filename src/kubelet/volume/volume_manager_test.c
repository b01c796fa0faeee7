/* Volumes in a mount namespace of the test's own, with caches over a small API server that holds
 * its watches open. Needs root. */
#include "kubelet/volume/volume_manager.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "http/http_server.h"
#include "io/loop.h"
#include "kubelet/object_cache.h"
#include "kubelet/pod_field.h"

enum { TMPFS_MAGIC_NUMBER = 0x01021994 };

#define PODS "/mnt/pods"
#define POD  PODS "/u-1"

/* --- an API server of ConfigMaps, Secrets and tokens --- */

struct watch {
    struct http_source source;
    struct http_request *request;
    struct buf waiting;
    char key[64]; /* "configmaps/NAME" */
};

static struct loop *loop;
static struct clock_fake fake;
static struct http_server *server;
static struct rest_client *client;
static struct object_cache *config_maps, *secrets;
static struct volume_manager *manager;
static struct arena arena;
static struct map objects; /* by "configmaps/NAME": JSON without braces */
static struct watch watches[32];
static size_t n_watches;
static int n_tokens, n_changes, token_status;
static uint64_t revision = 10;
static const struct pod_node node = { .name = STR_INIT("node-1"),
                                      .allocatable_cpu_milli = 2000,
                                      .allocatable_memory_bytes = 64 << 20 };

static int pull(struct http_source *s, struct buf *out, size_t hint_bytes)
{
    struct watch *w = CONTAINER_OF(s, struct watch, source);

    (void)hint_bytes;
    if (!w->waiting.len)
        return HTTP_SOURCE_WAIT;
    buf_append_str(out, buf_str(&w->waiting));
    buf_reset(&w->waiting);
    return HTTP_SOURCE_MORE;
}

static void on_source_done(struct http_source *s)
{
    CONTAINER_OF(s, struct watch, source)->request = NULL;
}

static void tell(struct watch *w, const char *type)
{
    bool is_secret = strncmp(w->key, "secrets/", 8) == 0;
    const char *json = map_get(&objects, str_from_cstr(w->key));

    buf_printf(&w->waiting,
               "{\"type\":\"%s\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"%s\",\"metadata\":{"
               "\"name\":\"%s\",\"namespace\":\"n\",\"resourceVersion\":\"%llu\"}%s%s}}\n",
               type, is_secret ? "Secret" : "ConfigMap", strchr(w->key, '/') + 1,
               (unsigned long long)revision++, json && *json ? "," : "", json ? json : "");
}

static void start_watch(struct http_request *r, const char *kind, struct str name)
{
    struct watch *w = &watches[n_watches++];

    cr_assert_lt(n_watches, ARRAY_LEN(watches));
    (void)snprintf(w->key, sizeof(w->key), "%s/%.*s", kind, STR_ARG(name));
    w->source = (struct http_source){ pull, on_source_done };
    w->request = r;
    if (map_has(&objects, str_from_cstr(w->key)))
        tell(w, "ADDED");
    buf_printf(&w->waiting,
               "{\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"%s\","
               "\"metadata\":{\"resourceVersion\":\"%llu\",\"annotations\":{"
               "\"k8s.io/initial-events-end\":\"true\"}}}}\n",
               strcmp(kind, "secrets") == 0 ? "Secret" : "ConfigMap",
               (unsigned long long)revision++);
    http_respond_source(r, 200, NULL, 0, -1, &w->source);
}

static void on_token(struct http_request *r, int result, struct str body, void *arg)
{
    struct str text;

    (void)arg;
    cr_assert_eq(result, 0);
    cr_expect(str_contains(body, STR("\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
                                     "\"name\":\"p\",\"uid\":\"u-1\"}")),
              "%.*s", STR_ARG(body));
    if (token_status != 201) {
        http_respond(r, token_status, NULL, 0,
                     STR("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"message\":"
                         "\"serviceaccounts \\\"robot\\\" not found\",\"code\":404}"));
        return;
    }
    text = arena_printf(&arena,
                        "{\"status\":{\"token\":\"token-%d%s\",\"expirationTimestamp\":"
                        "\"2023-11-14T23:13:20Z\"}}", /* an hour after the beginning */
                        ++n_tokens, str_contains(body, STR("\"vault\"")) ? "-vault" : "");
    http_respond(r, 201, NULL, 0, text);
}

static void on_request(struct http_request *r, void *arg)
{
    struct str target = http_request_path(r), query = http_request_query(r), name = query;
    ptrdiff_t at = str_find_str(query, STR("metadata.name"));

    if (str_has_suffix(target, STR("/serviceaccounts/robot/token"))) {
        http_request_read_body(r, 1 << 16, on_token, arg);
        return;
    }
    cr_assert_geq(at, 0, "%.*s", STR_ARG(query));
    name = str_tail(query, (size_t)at + sizeof("metadata.name") - 1);
    name = str_tail(name, str_has_prefix(name, STR("%3D")) ? 3 : 1);
    (void)str_cut(name, '&', &name, &(struct str){ 0 });
    start_watch(r, str_contains(target, STR("/secrets")) ? "secrets" : "configmaps", name);
}

/* json: the members beside metadata; NULL: gone. */
static void set_object(const char *key, const char *json)
{
    bool had = map_has(&objects, str_from_cstr(key));
    bool is_deletion = !json;

    if (json)
        (void)map_put(&objects, str_from_cstr(key), (void *)(uintptr_t)json);
    for (size_t i = 0; i < n_watches; i++) {
        if (strcmp(watches[i].key, key) != 0 || !watches[i].request)
            continue;
        tell(&watches[i], is_deletion ? "DELETED" : had ? "MODIFIED" : "ADDED");
        http_source_wake(watches[i].request);
    }
    if (is_deletion)
        (void)map_remove(&objects, str_from_cstr(key));
}

/* --- fixture --- */

static void on_change(struct str uid, void *arg)
{
    (void)uid;
    (void)arg;
    n_changes++;
}

static void on_object(struct str key, void *arg)
{
    on_change(key, arg);
}

static struct object_cache *cache_of(const char *plural)
{
    return object_cache_new(&(struct object_cache_options){
        .loop = loop,
        .client = client,
        .resource = resource_find(STR(""), STR("v1"), str_from_cstr(plural)),
        .on_change = on_object });
}

static void begin(void)
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

static void end(void)
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

static void unref(void *o)
{
    api_object_unref(o);
}

/* spec: members of the Pod's spec beside containers. */
static const struct core_v1_pod *pod_with(const char *labels, const char *spec, const char *mounts)
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
static const struct core_v1_pod *pod_of(const char *volume)
{
    return pod_with("", arena_printf(&arena, "\"volumes\":[{\"name\":\"v\",%s}]", volume).p, "");
}

/* Until nothing is on its way any more; the error's text, "" when it went well. */
static const char *sync_pod(const struct core_v1_pod *pod)
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
static void wait_for_change(void)
{
    int before = n_changes;

    for (int i = 0; i < 200000 && n_changes == before; i++)
        loop_turn(loop);
    cr_assert_neq(n_changes, before);
}

static const char *text_of(const char *path)
{
    char *text = arena_zalloc(&arena, 4096, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return strerrorname_np(errno);
    cr_assert_geq(read(fd, text, 4095), 0);
    (void)close(fd);
    return text;
}

static const char *link_of(const char *path)
{
    char *text = arena_zalloc(&arena, 512, 1);

    return readlink(path, text, 511) < 0 ? strerrorname_np(errno) : text;
}

static unsigned mode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_mode & 07777u : 0;
}

static unsigned owner_of(const char *path, bool is_group)
{
    struct stat st;

    cr_assert_eq(stat(path, &st), 0);
    return is_group ? st.st_gid : st.st_uid;
}

static bool is_tmpfs(const char *path, long long *ret_bytes)
{
    struct statfs s;
    struct stat here, above;

    cr_assert_eq(statfs(path, &s), 0);
    cr_assert_eq(stat(path, &here), 0);
    cr_assert_eq(stat(arena_printf(&arena, "%s/..", path).p, &above), 0);
    *ret_bytes = (long long)s.f_blocks * s.f_bsize;
    return s.f_type == TMPFS_MAGIC_NUMBER && here.st_dev != above.st_dev;
}

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    cr_assert_not_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n - 2;
}

static void write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

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
        { "\"persistentVolumeClaim\":{\"claimName\":\"x\"}",
          "no volume plugin matched: this kubelet has none for persistentVolumeClaim volumes" },
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
