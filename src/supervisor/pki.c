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
    if (r < 0) {
        (void)unlink(temp); /* as if nothing had been */
        return err_errno(p->err, -r, "write '%s'", path);
    }
    p->result.made++;
    return 0;
}

/* --- certificates --- */

static bool is_current(struct str certificate, int64_t now)
{
    struct x509_info info;
    struct err ignored;

    return x509_read(certificate, &info, &ignored) == 0 && info.not_before <= now &&
           info.not_after > now + (int64_t)RENEW_DAYS * DAY_SECONDS;
}

/* 1 when both files are there; *ret then. */
static int read_pair(struct pki *p, const char *name, struct x509_pair *ret)
{
    int r = read_file(p, arena_printf(&p->arena, "pki/%s.crt", name).p, &ret->certificate);

    return r == 1 ? read_file(p, arena_printf(&p->arena, "pki/%s.key", name).p, &ret->key) : r;
}

static int write_pair(struct pki *p, const char *name, const struct x509_pair *pair)
{
    /* the key first: a certificate without its key would be taken for a whole pair */
    int r = write_file(p, arena_printf(&p->arena, "pki/%s.key", name).p, pair->key, 0600);

    return r < 0 ? r
                 : write_file(p, arena_printf(&p->arena, "pki/%s.crt", name).p, pair->certificate,
                              0644);
}

static int ensure_ca(struct pki *p, const char *name, struct str common_name, struct x509_pair *ret)
{
    int r = read_pair(p, name, ret);

    if (r < 0)
        return r;
    if (r == 1 && x509_pair_fits(ret, ret->certificate)) {
        p->result.kept += 2;
        return 0;
    }
    if (r == 1)
        return err_set(p->err, ERR_CORRUPT,
                       "'%s/pki/%s.crt' and its key do not fit; move both away to have new ones",
                       p->o->dir, name);
    r = x509_make_ca(&p->arena, common_name, CA_DAYS, ret, p->err);
    return r < 0 ? r : write_pair(p, name, ret);
}

static int ensure_signed(struct pki *p, const char *name, const struct x509_pair *ca,
                         const struct x509_request *req)
{
    struct x509_pair pair;
    int r = read_pair(p, name, &pair);

    if (r < 0)
        return r;
    if (r == 1 && x509_pair_fits(&pair, ca->certificate) &&
        is_current(pair.certificate, clock_wall_s(&clock_system))) {
        p->result.kept += 2;
        return 0;
    }
    r = x509_make_signed(&p->arena, ca, req, &pair, p->err);
    return r < 0 ? r : write_pair(p, name, &pair);
}

/* The first address of a service range: "10.96.0.0/12" -> "10.96.0.1". */
static bool first_address(struct arena *a, const char *cidr, struct str *ret)
{
    unsigned char bytes[16];
    struct str address, length;
    char text[INET6_ADDRSTRLEN];
    int family;

    (void)str_cut(str_from_cstr(cidr), '/', &address, &length);
    family = str_find(address, ':') >= 0 ? AF_INET6 : AF_INET;
    if (inet_pton(family, str_cstr(a, address), bytes) != 1)
        return false;
    bytes[family == AF_INET6 ? 15 : 3]++; /* a range's own address ends in zeros */
    if (!inet_ntop(family, bytes, text, sizeof(text)))
        return false;
    *ret = str_dup(a, str_from_cstr(text));
    return true;
}

static int ensure_server(struct pki *p)
{
    char host[256] = "";
    struct str names[6] = { STR("kubernetes"), STR("kubernetes.default"),
                            STR("kubernetes.default.svc"),
                            STR("kubernetes.default.svc.cluster.local"), STR("localhost") };
    struct str addresses[4] = { STR("127.0.0.1"), STR("::1") };
    struct x509_request req = { .common_name = STR("kube-apiserver"),
                                .dns_names = names,
                                .n_dns_names = 5,
                                .addresses = addresses,
                                .n_addresses = 2,
                                .is_server = true,
                                .days = LEAF_DAYS };

    if (gethostname(host, sizeof(host) - 1) == 0 && host[0])
        names[req.n_dns_names++] = str_from_cstr(host);
    if (!first_address(&p->arena, p->o->service_cidr, &addresses[req.n_addresses++]))
        return err_set(p->err, ERR_INVALID, "'%s' is no address range", p->o->service_cidr);
    if (p->o->advertise_address)
        addresses[req.n_addresses++] = str_from_cstr(p->o->advertise_address);
    return ensure_signed(p, "apiserver", &p->ca, &req);
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

static int ensure_token_key(struct pki *p)
{
    struct str priv, pub;
    int r = read_file(p, "pki/sa.key", &priv);

    if (r < 0)
        return r;
    if (r == 1 && read_file(p, "pki/sa.pub", &pub) == 1) {
        p->result.kept += 2;
        return 0;
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

static struct str print_kubeconfig(struct pki *p, const struct x509_pair *admin)
{
    struct buf b;

    buf_init_arena(&b, &p->arena, 16384);
    buf_append_lit(&b, "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n");
    append_data(&b, "certificate-authority-data", p->ca.certificate);
    buf_printf(&b, "    server: https://127.0.0.1:%u\n  name: pintle\n", p->o->secure_port);
    buf_append_lit(&b, "contexts:\n- context:\n    cluster: pintle\n    user: kubernetes-admin\n"
                       "  name: kubernetes-admin@pintle\n"
                       "current-context: kubernetes-admin@pintle\nusers:\n"
                       "- name: kubernetes-admin\n  user:\n");
    append_data(&b, "client-certificate-data", admin->certificate);
    append_data(&b, "client-key-data", admin->key);
    return buf_str(&b);
}

/* The administrator's certificate lives in the kubeconfig alone, which is kept while it names this
 * port and bears this cluster's authority. */
static int ensure_kubeconfig(struct pki *p)
{
    struct str organization = STR("system:masters"), old, server;
    struct x509_request req = { .common_name = STR("kubernetes-admin"),
                                .organizations = &organization,
                                .n_organizations = 1,
                                .is_client = true,
                                .days = LEAF_DAYS };
    struct x509_pair admin;
    struct buf ca = { .arena = &p->arena };
    int r = read_file(p, "admin.conf", &old);

    if (r < 0)
        return r;
    base64_encode(&ca, p->ca.certificate);
    server = arena_printf(&p->arena, "server: https://127.0.0.1:%u\n", p->o->secure_port);
    if (r == 1 && str_contains(old, buf_str(&ca)) && str_contains(old, server)) {
        p->result.kept++;
        return 0;
    }
    r = x509_make_signed(&p->arena, &p->ca, &req, &admin, p->err);
    return r < 0 ? r : write_file(p, "admin.conf", print_kubeconfig(p, &admin), 0600);
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
                          STR("kube-apiserver-kubelet-client"), STR("system:masters"));
    if (r >= 0)
        r = ensure_ca(p, "front-proxy-ca", STR("front-proxy-ca"), &p->front_proxy_ca);
    if (r >= 0)
        r = ensure_client(p, "front-proxy-client", &p->front_proxy_ca, STR("front-proxy-client"),
                          STR(""));
    if (r >= 0)
        r = ensure_token_key(p);
    return r < 0 ? r : ensure_kubeconfig(p);
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
