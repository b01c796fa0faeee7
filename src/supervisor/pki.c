#include "supervisor/pki.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/base64.h"
#include "codec/x509.h"

enum {
    CA_DAYS = 3650,
    LEAF_DAYS = 365,
    RENEW_DAYS = 30, /* made anew when less is left */
    DAY_SECONDS = 86400,
    MAX_FILE_BYTES = 1 << 20,
};

struct pki {
    const struct pki_options *o;
    struct arena arena;
    struct pki_result result;
    struct x509_pair ca, front_proxy_ca;
    struct err *err;
};

/* --- files --- */

static const char *path_of(struct pki *p, const char *name)
{
    return arena_printf(&p->arena, "%s/%s", p->o->dir, name).p;
}

static int make_dir(struct pki *p, const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_errno(p->err, errno, "create directory '%s'", path);
    return 0;
}

/* A rename lasts once its directory is synced. */
static int sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    if (fd < 0)
        return -errno;
    r = fsync(fd) < 0 ? -errno : 0;
    (void)close(fd); /* only synced */
    return r;
}

/* 1 and the text; 0 when there is no such file. */
static int read_file(struct pki *p, const char *name, struct str *ret)
{
    const char *path = path_of(p, name);
    struct buf b = { .arena = &p->arena };
    FILE *f = fopen(path, "re");

    if (!f && errno == ENOENT)
        return 0;
    if (!f)
        return err_errno(p->err, errno, "open '%s'", path);
    for (size_t n; b.len < MAX_FILE_BYTES && (n = fread(buf_reserve(&b, 4096), 1, 4096, f)) > 0;)
        b.len += n;
    (void)fclose(f); /* only read */
    *ret = buf_str(&b);
    return 1;
}

static int write_all(int fd, struct str text)
{
    while (text.len) {
        ssize_t n = write(fd, text.p, text.len);

        if (n < 0)
            return -errno;
        text = str_tail(text, (size_t)n);
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int write_file(struct pki *p, const char *name, struct str text, mode_t mode)
{
    const char *path = path_of(p, name), *temp = arena_printf(&p->arena, "%s.tmp", path).p;
    int fd, r;

    (void)unlink(temp); /* of an earlier run that was killed */
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(p->err, errno, "create '%s'", temp);
    r = write_all(fd, text);
    (void)close(fd); /* synced, or failed already */
    if (r == 0 && rename(temp, path) < 0)
        r = -errno;
    if (r == 0)
        r = sync_dir(str_has_prefix(str_from_cstr(name), STR("pki/")) ? path_of(p, "pki")
                                                                      : p->o->dir);
    if (r < 0) {
        (void)unlink(temp); /* as if nothing had been */
        return err_errno(p->err, -r, "write '%s'", path);
    }
    p->result.made++;
    return 0;
}

/* --- certificates --- */

/* Valid now, and for so many days more. */
static bool is_current(struct str certificate, int64_t now, int64_t days)
{
    struct x509_info info;
    struct err ignored;

    return x509_read(certificate, &info, &ignored) == 0 && info.not_before <= now &&
           info.not_after > now + days * DAY_SECONDS;
}

enum pair_state { PAIR_ABSENT, PAIR_WHOLE, PAIR_WITHOUT_KEY };

/* A key alone is what a run leaves that was killed before it wrote the certificate: nothing depends
 * on it, so that it counts as absent. */
static int read_pair(struct pki *p, const char *name, struct x509_pair *ret)
{
    int r = read_file(p, arena_printf(&p->arena, "pki/%s.crt", name).p, &ret->certificate);

    if (r != 1)
        return r < 0 ? r : PAIR_ABSENT;
    r = read_file(p, arena_printf(&p->arena, "pki/%s.key", name).p, &ret->key);
    if (r < 0)
        return r;
    return r == 1 ? PAIR_WHOLE : PAIR_WITHOUT_KEY;
}

static int write_pair(struct pki *p, const char *name, const struct x509_pair *pair)
{
    /* the key first: a certificate without its key would be taken for a whole pair */
    int r = write_file(p, arena_printf(&p->arena, "pki/%s.key", name).p, pair->key, 0600);

    return r < 0 ? r
                 : write_file(p, arena_printf(&p->arena, "pki/%s.crt", name).p, pair->certificate,
                              0644);
}

/* An authority is never replaced: everything hangs on it. */
static int ensure_ca(struct pki *p, const char *name, struct str common_name, struct x509_pair *ret)
{
    int r = read_pair(p, name, ret);

    if (r < 0)
        return r;
    if (r == PAIR_WITHOUT_KEY)
        return err_set(p->err, ERR_INVALID,
                       "'%s/pki/%s.crt' is there without its key: put the key beside it, or name "
                       "certificates that another authority signed by flags",
                       p->o->dir, name);
    if (r == PAIR_WHOLE && !x509_pair_fits(ret, ret->certificate))
        return err_set(p->err, ERR_CORRUPT,
                       "'%s/pki/%s.crt' and its key do not fit; move both away to have new ones",
                       p->o->dir, name);
    if (r == PAIR_WHOLE && !is_current(ret->certificate, clock_wall_s(&clock_system), 0))
        return err_set(p->err, ERR_INVALID,
                       "'%s/pki/%s.crt' has expired; move it and its key away to have new ones",
                       p->o->dir, name);
    if (r == PAIR_WHOLE) {
        p->result.kept += 2;
        return 0;
    }
    r = x509_make_ca(&p->arena, common_name, CA_DAYS, ret, p->err);
    return r < 0 ? r : write_pair(p, name, ret);
}

/* The certificate is for every name and address that is asked for. */
static bool covers(struct str certificate, const struct x509_request *req)
{
    for (size_t i = 0; i < req->n_dns_names; i++) {
        if (!x509_is_for(certificate, req->dns_names[i]))
            return false;
    }
    for (size_t i = 0; i < req->n_addresses; i++) {
        if (!x509_is_for(certificate, req->addresses[i]))
            return false;
    }
    return true;
}

static int ensure_signed(struct pki *p, const char *name, const struct x509_pair *ca,
                         const struct x509_request *req)
{
    struct x509_pair pair;
    int r = read_pair(p, name, &pair);

    if (r < 0)
        return r;
    if (r == PAIR_WHOLE && x509_pair_fits(&pair, ca->certificate) &&
        is_current(pair.certificate, clock_wall_s(&clock_system), RENEW_DAYS) &&
        covers(pair.certificate, req)) {
        p->result.kept += 2;
        return 0;
    }
    r = x509_make_signed(&p->arena, ca, req, &pair, p->err);
    return r < 0 ? r : write_pair(p, name, &pair);
}

static bool is_address(struct str text)
{
    unsigned char bytes[16];
    CLEANUP(arena_done) struct arena a = { 0 };
    int family = str_find(text, ':') >= 0 ? AF_INET6 : AF_INET;

    return inet_pton(family, str_cstr(&a, text), bytes) == 1;
}

/* The first address of a service range: "10.96.0.0/12" -> "10.96.0.1". */
static bool first_address(struct arena *a, struct str cidr, struct str *ret)
{
    unsigned char bytes[16] = { 0 };
    struct str address, length;
    char text[INET6_ADDRSTRLEN];
    uint64_t prefix;
    int family;
    size_t n;

    if (!str_cut(cidr, '/', &address, &length) || !str_to_u64(length, &prefix))
        return false;
    family = str_find(address, ':') >= 0 ? AF_INET6 : AF_INET;
    n = family == AF_INET6 ? 16 : 4;
    if (prefix > n * 8 - 2 || inet_pton(family, str_cstr(a, address), bytes) != 1)
        return false;
    for (size_t bit = prefix; bit < n * 8; bit++)
        bytes[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
    bytes[n - 1]++; /* the host part is all zeros now */
    if (!inet_ntop(family, bytes, text, sizeof(text)))
        return false;
    *ret = str_dup(a, str_from_cstr(text));
    return true;
}

/* What can stand in a certificate as a DNS name; a host may be called anything. */
static bool is_dns_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '.'))
            return false;
    }
    return s.len > 0 && s.len <= 253;
}

enum { MAX_ADDRESSES = 8 };

/* The first address of each range, separated by commas. */
static int add_service_addresses(struct pki *p, struct str *addresses, size_t *n)
{
    struct str ranges = str_from_cstr(p->o->service_cidr), range;

    while (str_next(&ranges, ',', &range)) {
        if (*n == MAX_ADDRESSES || !first_address(&p->arena, str_trim(range), &addresses[*n]))
            return err_set(p->err, ERR_INVALID, "'%.*s' is no address range", STR_ARG(range));
        (*n)++;
    }
    return 0;
}

static int ensure_server(struct pki *p)
{
    char host[256] = "";
    struct str names[6] = { STR("kubernetes"), STR("kubernetes.default"),
                            STR("kubernetes.default.svc"),
                            STR("kubernetes.default.svc.cluster.local"), STR("localhost") };
    struct str addresses[MAX_ADDRESSES] = { STR("127.0.0.1"), STR("::1") };
    struct str advertise = str_from_cstr(p->o->advertise_address);
    struct x509_request req = { .common_name = STR("kube-apiserver"),
                                .dns_names = names,
                                .n_dns_names = 5,
                                .addresses = addresses,
                                .n_addresses = 2,
                                .is_server = true,
                                .days = LEAF_DAYS };
    int r;

    if (gethostname(host, sizeof(host) - 1) == 0 && is_dns_name(str_from_cstr(host)))
        names[req.n_dns_names++] = str_from_cstr(host);
    if (advertise.len && !is_address(advertise))
        return err_set(p->err, ERR_INVALID, "'%.*s' is no address", STR_ARG(advertise));
    if (advertise.len)
        addresses[req.n_addresses++] = advertise;
    r = add_service_addresses(p, addresses, &req.n_addresses);
    return r < 0 ? r : ensure_signed(p, "apiserver", &p->ca, &req);
}

static int ensure_client(struct pki *p, const char *name, const struct x509_pair *ca,
                         struct str common_name, struct str organization)
{
    struct x509_request req = { .common_name = common_name,
                                .organizations = &organization,
                                .n_organizations = organization.len ? 1 : 0,
                                .is_client = true,
                                .days = LEAF_DAYS };

    return ensure_signed(p, name, ca, &req);
}

/* The private key is never replaced: tokens hang on it. The public one follows from it. */
static int ensure_token_key(struct pki *p)
{
    struct str priv, pub, old;
    int r = read_file(p, "pki/sa.key", &priv);

    if (r < 0)
        return r;
    if (r == 1) {
        r = x509_public_key(&p->arena, priv, &pub, p->err);
        if (r < 0)
            return err_wrap(p->err, "'%s/pki/sa.key'", p->o->dir);
        p->result.kept++;
        r = read_file(p, "pki/sa.pub", &old);
        if (r == 1 && str_eq(old, pub)) {
            p->result.kept++;
            return 0;
        }
        return r < 0 ? r : write_file(p, "pki/sa.pub", pub, 0644);
    }
    r = x509_make_key(&p->arena, &priv, &pub, p->err);
    if (r >= 0)
        r = write_file(p, "pki/sa.key", priv, 0600);
    return r < 0 ? r : write_file(p, "pki/sa.pub", pub, 0644);
}

/* --- kubeconfig --- */

static void append_data(struct buf *b, const char *key, struct str pem)
{
    buf_printf(b, "    %s: ", key);
    base64_encode(b, pem);
    buf_append_char(b, '\n');
}

/* Who a kubeconfig is for. */
struct client {
    const char *file; /* "admin.conf" */
    struct str user;  /* the certificate's common name */
    struct str group; /* its organization; unset: none */
};

static struct str print_kubeconfig(struct pki *p, const struct client *who, struct str server,
                                   const struct x509_pair *pair)
{
    struct buf b;

    buf_init_arena(&b, &p->arena, 16384);
    buf_append_lit(&b, "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n");
    append_data(&b, "certificate-authority-data", p->ca.certificate);
    buf_append_str(&b, server);
    buf_printf(&b,
               "  name: pintle\ncontexts:\n- context:\n    cluster: pintle\n    user: %.*s\n"
               "  name: %.*s@pintle\ncurrent-context: %.*s@pintle\nusers:\n- name: %.*s\n"
               "  user:\n",
               STR_ARG(who->user), STR_ARG(who->user), STR_ARG(who->user), STR_ARG(who->user));
    append_data(&b, "client-certificate-data", pair->certificate);
    append_data(&b, "client-key-data", pair->key);
    return buf_str(&b);
}

/* The certificate in a kubeconfig that we wrote is valid for a while yet. */
static bool has_current_client(struct pki *p, struct str conf)
{
    static const struct str key = STR_INIT("client-certificate-data: ");
    ptrdiff_t at = str_find_str(conf, key);
    struct str data, rest, pem;
    size_t bad;

    if (at < 0)
        return false;
    (void)str_cut(str_tail(conf, (size_t)at + key.len), '\n', &data, &rest);
    return base64_decode(&p->arena, data, &pem, &bad) &&
           is_current(pem, clock_wall_s(&clock_system), RENEW_DAYS);
}

/* A component's certificate lives in its kubeconfig alone, which is kept while it names this
 * server, bears this cluster's authority and is valid. */
static int ensure_kubeconfig(struct pki *p, const struct client *who, struct str host)
{
    struct x509_request req = { .common_name = who->user,
                                .organizations = &who->group,
                                .n_organizations = who->group.len ? 1 : 0,
                                .is_client = true,
                                .days = LEAF_DAYS };
    struct buf ca = { .arena = &p->arena };
    struct x509_pair pair;
    struct str old, server;
    bool six = str_find(host, ':') >= 0;
    int r;

    r = read_file(p, who->file, &old);
    if (r < 0)
        return r;
    base64_encode(&ca, p->ca.certificate);
    server = arena_printf(&p->arena, "    server: https://%s%.*s%s:%u\n", six ? "[" : "",
                          STR_ARG(host), six ? "]" : "", p->o->secure_port);
    if (r == 1 && str_contains(old, buf_str(&ca)) && str_contains(old, server) &&
        has_current_client(p, old)) {
        p->result.kept++;
        return 0;
    }
    r = x509_make_signed(&p->arena, &p->ca, &req, &pair, p->err);
    return r < 0 ? r : write_file(p, who->file, print_kubeconfig(p, who, server, &pair), 0600);
}

/* Upstream's names: its default roles are bound to them. */
static const struct client clients[] = {
    { "admin.conf", STR_INIT("kubernetes-admin"), STR_INIT("system:masters") },
    { "controller-manager.conf", STR_INIT("system:kube-controller-manager"), { 0 } },
    { "scheduler.conf", STR_INIT("system:kube-scheduler"), { 0 } },
    { "proxy.conf", STR_INIT("system:kube-proxy"), { 0 } },
    { "dns.conf", STR_INIT("system:serviceaccount:kube-system:kube-dns"),
      STR_INIT("system:serviceaccounts") },
};

/* Port 0 is not known yet: nothing is written for it. */
static int ensure_kubeconfigs(struct pki *p)
{
    struct str host = str_from_cstr(p->o->server ? p->o->server : "127.0.0.1");
    int r = 0;

    for (size_t i = 0; p->o->secure_port && i < ARRAY_LEN(clients) && r >= 0; i++)
        r = ensure_kubeconfig(p, &clients[i], host);
    return r;
}

/* --- nodes --- */

/* Names go into file names and certificates as they are. */
static bool is_node_name(struct str s)
{
    return is_dns_name(s) && s.p[0] != '.' && s.p[0] != '-';
}

/* What the kubelet's port shows to the API server, which calls it by address. */
static int ensure_kubelet_server(struct pki *p, const struct pki_node *node, struct str user)
{
    struct str group = STR("system:nodes"), name = str_from_cstr(node->name), address;
    struct str addresses[MAX_ADDRESSES], rest = str_from_cstr(node->addresses);
    struct x509_request req = { .common_name = user,
                                .organizations = &group,
                                .n_organizations = 1,
                                .dns_names = &name,
                                .n_dns_names = 1,
                                .addresses = addresses,
                                .is_server = true,
                                .days = LEAF_DAYS };

    while (str_next(&rest, ',', &address)) {
        if (req.n_addresses == MAX_ADDRESSES || !is_address(str_trim(address)))
            return err_set(p->err, ERR_INVALID, "'%.*s' is no address", STR_ARG(address));
        addresses[req.n_addresses++] = str_trim(address);
    }
    return ensure_signed(p, arena_printf(&p->arena, "kubelet-%s", node->name).p, &p->ca, &req);
}

int pki_init_node(const struct pki_options *o, const struct pki_node *node, struct pki_result *ret,
                  struct err *err)
{
    struct pki p = { .o = o, .err = err };
    struct client who = { .group = STR("system:nodes") };
    int r;

    if (!is_node_name(str_from_cstr(node->name)))
        return err_set(err, ERR_INVALID, "'%s' is no name of a node", node->name);
    who.file = arena_printf(&p.arena, "kubelet-%s.conf", node->name).p;
    who.user = arena_printf(&p.arena, "system:node:%s", node->name);
    r = ensure_ca(&p, "ca", STR("kubernetes-ca"), &p.ca);
    if (r >= 0)
        r = ensure_kubelet_server(&p, node, who.user);
    if (r >= 0)
        r = ensure_kubeconfig(&p, &who, str_from_cstr(node->server ? node->server : "127.0.0.1"));
    arena_done(&p.arena);
    if (r < 0)
        return r;
    *ret = p.result;
    return 0;
}

/* --- all of it --- */

static int ensure_all(struct pki *p)
{
    int r = make_dir(p, p->o->dir);

    if (r >= 0)
        r = make_dir(p, path_of(p, "pki"));
    if (r >= 0)
        r = ensure_ca(p, "ca", STR("kubernetes-ca"), &p->ca);
    if (r >= 0)
        r = ensure_server(p);
    if (r >= 0)
        r = ensure_client(p, "apiserver-kubelet-client", &p->ca,
                          STR("kube-apiserver-kubelet-client"), STR(""));
    if (r >= 0)
        r = ensure_ca(p, "front-proxy-ca", STR("front-proxy-ca"), &p->front_proxy_ca);
    if (r >= 0)
        r = ensure_client(p, "front-proxy-client", &p->front_proxy_ca, STR("front-proxy-client"),
                          STR(""));
    if (r >= 0)
        r = ensure_token_key(p);
    return r < 0 ? r : ensure_kubeconfigs(p);
}

int pki_init(const struct pki_options *o, struct pki_result *ret, struct err *err)
{
    struct pki p = { .o = o, .err = err };
    int r = ensure_all(&p);

    arena_done(&p.arena);
    if (r < 0)
        return r;
    *ret = p.result;
    return 0;
}
